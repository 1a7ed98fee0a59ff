#include "spin.h"
#include "inspect/x86_instruction.h"
#include "process/procfs.h"
#include "base/message.h"
#include "process/ptrace_step.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

enum {
  STEPS = 256,
  LEAST_STEPS = 16,
  FIRST_LOOK = 16,  // steps after which a computation may be told
  SECOND_LOOK = 64,
  MOST_PERIOD = 64,
  LEAST_ROUNDS = 4,
  REGISTERS = 17,
  FLAGS = 16,
  MOST_COUNTERS = 3,
  MOST_STRIDE = 64
};

// Where many tasks want a processor each step takes a turn of all of them: then only a loop is
// looked for.
static const long long PATIENCE_NS = 300000000, MOST_PATIENCE_NS = 3000000000;

enum { RSP = 4 };

// The better word has the higher rate.
enum { ON_OWN_STACK = 1, ELSEWHERE, LOCKED };

struct step {
  uint64_t pc, fs_base, gs_base;
  uint64_t registers[REGISTERS];  // in the order of the instruction set, then the flags
  struct instruction instruction;
};

struct trace {
  struct step *steps;
  size_t count, period;
  bool constant[REGISTERS];  // has the same value in each round, at each instruction
};

static void
take_registers(struct step *step, const struct user_regs_struct *r)
{
  static const unsigned long long not_state = 0x10100;  // trap flag, resume flag: the tracer's
  const uint64_t all[REGISTERS] = {r->rax,
                                   r->rcx,
                                   r->rdx,
                                   r->rbx,
                                   r->rsp,
                                   r->rbp,
                                   r->rsi,
                                   r->rdi,
                                   r->r8,
                                   r->r9,
                                   r->r10,
                                   r->r11,
                                   r->r12,
                                   r->r13,
                                   r->r14,
                                   r->r15,
                                   r->eflags & ~not_state};
  memcpy(step->registers, all, sizeof all);
  step->pc = r->rip;
  step->fs_base = r->fs_base;
  step->gs_base = r->gs_base;
}

// A system call leaves the flags, the tracer's trap flag included, in r11 (Intel's manual,
// SYSCALL).
static void
forget_trap_flag(struct trace *trace)
{
  for (size_t i = 0; i < trace->count; i++)
    trace->steps[i].registers[11] &= ~0x100ull;
}

// The instruction at the step, as an earlier step at the same place has it or decoded anew.
static bool
decode(pid_t pid, struct trace *trace, struct step *step)
{
  for (size_t i = trace->count; i-- > 0 && trace->count - i <= MOST_PERIOD;)
    if (trace->steps[i].pc == step->pc) {
      step->instruction = trace->steps[i].instruction;
      return true;
    }
  uint8_t code[16];
  size_t length = sizeof code;
  while (length > 0 && !procfs_memory(pid, step->pc, code, length))
    length--;  // the mapping ends
  return instruction_decode(code, length, &step->instruction);
}

// The least number of instructions after which the same places come again.
static size_t
find_period(const struct trace *trace)
{
  for (size_t period = 1; period <= MOST_PERIOD && period * LEAST_ROUNDS <= trace->count;
       period++) {
    size_t i = 0;
    while (i + period < trace->count && trace->steps[i].pc == trace->steps[i + period].pc)
      i++;
    if (i + period == trace->count)
      return period;
  }
  return 0;
}

static bool
is_constant(const struct trace *trace, int reg)
{
  for (size_t i = 0; i + trace->period < trace->count; i++)
    if (trace->steps[i].registers[reg] != trace->steps[i + trace->period].registers[reg])
      return false;
  return true;
}

// At each instruction it grows or falls by the same little from round to round, or stays.
static bool
is_counter(const struct trace *trace, int reg)
{
  const struct step *steps = trace->steps;
  for (size_t i = 0; i + trace->period < trace->count; i++) {
    size_t first = i % trace->period;
    uint64_t stride = steps[first + trace->period].registers[reg] - steps[first].registers[reg];
    if (stride + MOST_STRIDE > 2 * MOST_STRIDE ||
        steps[i + trace->period].registers[reg] - steps[i].registers[reg] != stride)
      return false;
  }
  return true;
}

// False if more than counters change.
static bool
sort_registers(struct trace *trace, bool *exact)
{
  unsigned counters = 0;
  for (int reg = 0; reg < REGISTERS; reg++) {
    trace->constant[reg] = is_constant(trace, reg);
    if (trace->constant[reg] || reg == FLAGS)
      continue;
    if (reg == RSP || !is_counter(trace, reg))
      return false;
    counters++;
  }
  *exact = counters == 0 && trace->constant[FLAGS];
  // Flags that change alone tell of a count in memory.
  return counters <= MOST_COUNTERS && (counters > 0 || trace->constant[FLAGS]);
}

// True if it is worth to go on: it may still turn out to be a loop that waits.
static bool
may_wait(struct trace *trace)
{
  bool exact;
  trace->period = find_period(trace);
  return !trace->period || sort_registers(trace, &exact);
}

static bool
is_patient(const struct tracer *tracer, const struct trace *trace)
{
  long long age = tracer_age_ns(tracer);
  return age < PATIENCE_NS || (age < MOST_PATIENCE_NS && !find_period(trace));
}

// Interrupted in a system call that would be called anew: the step would last as long as the call
// (include/linux/errno.h: ERESTARTSYS to ERESTART_RESTARTBLOCK).
static bool
is_in_call(const struct user_regs_struct *registers)
{
  long result = (long)registers->rax;
  return (long)registers->orig_rax >= 0 && result <= -512 && result >= -516;
}

// True if the steps were of instructions that a loop that waits may have.
static bool
record(struct tracer *tracer, struct trace *trace)
{
  bool calls = false;
  while (trace->count < STEPS && is_patient(tracer, trace)) {
    struct user_regs_struct registers;
    struct step *step = &trace->steps[trace->count];
    if (ptrace(PTRACE_GETREGS, tracer->pid, NULL, &registers))
      return false;
    take_registers(step, &registers);
    if (is_in_call(&registers) || !decode(tracer->pid, trace, step) ||
        (step->instruction.syscall && registers.rax != SYS_sched_yield))
      return false;
    calls |= step->instruction.syscall;
    trace->count++;
    if (!tracer_step(tracer) ||
        ((trace->count == FIRST_LOOK || trace->count == SECOND_LOOK) && !calls && !may_wait(trace)))
      return false;
  }
  if (calls)
    forget_trap_flag(trace);
  return trace->count >= LEAST_STEPS;
}

// The address of the operand; false if it is not the same in each round.
static bool
operand(const struct trace *trace, const struct step *step, uint64_t *address)
{
  const struct instruction *i = &step->instruction;
  if ((i->base >= 0 && i->base < REGISTER_RIP && !trace->constant[i->base]) ||
      (i->index >= 0 && !trace->constant[i->index]))
    return false;
  *address = (uint64_t)i->displacement;
  if (i->base == REGISTER_RIP)
    *address += step->pc + i->length;
  else if (i->base >= 0)
    *address += step->registers[i->base];
  if (i->index >= 0)
    *address += step->registers[i->index] * i->scale;
  if (i->segment)
    *address += i->segment == 'f' ? step->fs_base : step->gs_base;
  return true;
}

// 0: the word is not one to wait for; -1: others can write it.
static int
rate_word(pid_t pid, const struct step *step, uint64_t address)
{
  struct mapping mapping;
  if (!procfs_mapping(pid, address, &mapping) || mapping.shared ||
      !strncmp(mapping.path, "[vvar", 5) || !strncmp(mapping.path, "[vsyscall", 9))
    return -1;
  if (!mapping.writable || step->instruction.stores)
    return 0;
  if (step->instruction.locked)
    return LOCKED;
  bool own_stack = step->registers[RSP] >= mapping.start && step->registers[RSP] < mapping.end;
  return own_stack ? ON_OWN_STACK : ELSEWHERE;
}

// Looks at what one round reads: the best rate of a word, or -1 if that is not always the same, or
// not for it alone to write.
static int
find_word(pid_t pid, const struct trace *trace, struct spin *spin)
{
  int best = 0;
  for (size_t i = 0; i < trace->period; i++) {
    const struct step *step = &trace->steps[i];
    uint64_t address;
    if (!step->instruction.memory)
      continue;
    int rate = operand(trace, step, &address) ? rate_word(pid, step, address) : -1;
    if (rate < 0)
      return -1;
    if (rate > best) {
      best = rate;
      spin->word = address;
    }
  }
  return best;
}

// A loop with a count may compute something: that it waits is told by what it does in between, and
// by a word that is not one of its own variables; and it leaves nothing in memory.
static bool
only_counts(const struct trace *trace, int rate)
{
  bool waits = false;
  for (size_t i = 0; i < trace->period; i++) {
    const struct instruction *instruction = &trace->steps[i].instruction;
    if (instruction->memory && instruction->stores)
      return false;
    waits |= instruction->pause || instruction->syscall || instruction->locked;
  }
  return waits && rate >= ELSEWHERE;
}

static uint64_t
mix(uint64_t x)
{
  x = (x ^ x >> 31) * 0x9e3779b97f4a7c15;
  return x ^ x >> 29;
}

// Whichever instruction the trace begins with.
static uint64_t
sign(const struct trace *trace, const struct spin *spin)
{
  uint64_t sum = mix(spin->word) + mix(spin->value + 1) + trace->period;
  for (size_t i = 0; i < trace->period; i++) {
    uint64_t of_step = mix(trace->steps[i].pc);
    for (int reg = 0; reg < REGISTERS; reg++)
      if (trace->constant[reg])
        of_step = mix(of_step + trace->steps[i].registers[reg]);
    sum += of_step;
  }
  return sum;
}

static bool
judge(pid_t pid, struct trace *trace, struct spin *spin)
{
  size_t period = trace->period = find_period(trace);
  if (!period || !sort_registers(trace, &spin->exact))
    return false;
  int rate = find_word(pid, trace, spin);
  if (rate <= 0 || (!spin->exact && !only_counts(trace, rate)))
    return false;
  for (size_t i = 0; i < period; i++)
    spin->yields |= trace->steps[i].instruction.syscall;
  if (!procfs_memory(pid, spin->word, &spin->value, sizeof spin->value))
    return false;
  spin->instructions = (unsigned)period;
  spin->rounds = (unsigned)(trace->count / period);
  spin->signature = sign(trace, spin);
  return true;
}

bool
spin_examine(pid_t pid, struct spin *spin)
{
  struct tracer tracer;
  struct trace trace = {0};
  *spin = (struct spin){0};
  if (!tracer_stop(&tracer, pid))
    return false;
  trace.steps = xrealloc(NULL, (STEPS + 1) * sizeof *trace.steps);
  bool whole = record(&tracer, &trace);
  tracer_let_go(&tracer);
  bool spins = whole && judge(pid, &trace, spin);
  free(trace.steps);
  return spins;
}
