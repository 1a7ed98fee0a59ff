// Between the command and its symbolizer: each message begins with one of these.
#pragma once

enum {
  MESSAGE_QUESTION = 'q',  // JSON
  MESSAGE_FRAME = 'f',     // JSON, one frame
  MESSAGE_ANSWER = 'a',    // JSON
  MESSAGE_READ = 'r',      // struct read_request
  MESSAGE_MEMORY = 'm',    // the bytes that were read; none: they could not be
};

struct read_request {
  unsigned long long address;
  unsigned length;
};

enum { MOST_READ = 64 << 10 };

// The symbolizer itself: answers questions until the other end has gone.
_Noreturn void symbolizer_serve(int fd);
