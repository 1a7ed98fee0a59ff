// What is told of redirected forks: to the driver, and as text where there is none.
#pragma once

struct borrow;
struct entry_frame;
struct redirect_site;

// In the parent of a child that becomes a process of its own, which waits: the other threads are
// captured as before a real fork.
void redirect_capture(struct borrow *b);
// In the parent of one that did not: what tell_end() is to tell.
void redirect_tell_begin(struct borrow *b);
// After tell_end(): how the child ended, and how the fork was carried out.
void redirect_tell(struct borrow *b);

// A fork from this site is a real one, for this reason. Once for each site and reason.
void redirect_tell_refusal(struct redirect_site *site, const char *reason);
// No fork of this process is redirected. Once.
void redirect_tell_unavailable(const char *reason);
