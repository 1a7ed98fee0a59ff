#include "x86_instruction.h"
#include "base/message.h"

#include <capstone/capstone.h>
#include <dlfcn.h>
#include <string.h>

// Loaded when a process is first stepped through: its relocations would take 2 ms of each start.
static struct {
  csh handle;
  cs_insn *instruction;
  bool (*disassemble)(csh, const uint8_t **, size_t *, uint64_t *, cs_insn *);
} capstone;

static bool
open_capstone(void *library)
{
  cs_err (*open)(cs_arch, cs_mode, csh *) =
      (cs_err(*)(cs_arch, cs_mode, csh *))dlsym(library, "cs_open");
  cs_err (*option)(csh, cs_opt_type, size_t) =
      (cs_err(*)(csh, cs_opt_type, size_t))dlsym(library, "cs_option");
  cs_insn *(*allocate)(csh) = (cs_insn * (*)(csh)) dlsym(library, "cs_malloc");
  capstone.disassemble = (bool (*)(csh, const uint8_t **, size_t *, uint64_t *, cs_insn *))dlsym(
      library, "cs_disasm_iter");
  if (!open || !option || !allocate || !capstone.disassemble ||
      open(CS_ARCH_X86, CS_MODE_64, &capstone.handle) != CS_ERR_OK ||
      option(capstone.handle, CS_OPT_DETAIL, CS_OPT_ON) != CS_ERR_OK)
    return false;
  capstone.instruction = allocate(capstone.handle);
  return capstone.instruction != NULL;
}

static bool
is_open(void)
{
  static bool tried;
  if (!tried) {
    void *library = dlopen(CAPSTONE_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    tried = true;
    if (!library || !open_capstone(library)) {
      capstone.instruction = NULL;
      message("%s cannot be loaded: no process is suspected to spin", CAPSTONE_LIBRARY);
    }
  }
  return capstone.instruction != NULL;
}

static bool
in_group(const cs_insn *i, unsigned group)
{
  for (unsigned k = 0; k < i->detail->groups_count; k++)
    if (i->detail->groups[k] == group)
      return true;
  return false;
}

// Integer arithmetic, moves, branches, and what is made for waiting.
static bool
may_wait(const cs_insn *i)
{
  static const unsigned short fit[] = {
      X86_INS_MOV,        X86_INS_MOVABS,     X86_INS_MOVZX,       X86_INS_MOVSX,
      X86_INS_MOVSXD,     X86_INS_LEA,        X86_INS_PUSH,        X86_INS_POP,
      X86_INS_LEAVE,      X86_INS_ADD,        X86_INS_ADC,         X86_INS_SUB,
      X86_INS_SBB,        X86_INS_INC,        X86_INS_DEC,         X86_INS_NEG,
      X86_INS_NOT,        X86_INS_AND,        X86_INS_OR,          X86_INS_XOR,
      X86_INS_CMP,        X86_INS_TEST,       X86_INS_IMUL,        X86_INS_MUL,
      X86_INS_DIV,        X86_INS_IDIV,       X86_INS_SHL,         X86_INS_SAL,
      X86_INS_SHR,        X86_INS_SAR,        X86_INS_ROL,         X86_INS_ROR,
      X86_INS_RCL,        X86_INS_RCR,        X86_INS_BT,          X86_INS_BTS,
      X86_INS_BTR,        X86_INS_BTC,        X86_INS_CBW,         X86_INS_CWDE,
      X86_INS_CDQE,       X86_INS_CWD,        X86_INS_CDQ,         X86_INS_CQO,
      X86_INS_XCHG,       X86_INS_CMPXCHG,    X86_INS_CMPXCHG8B,   X86_INS_CMPXCHG16B,
      X86_INS_XADD,       X86_INS_SETAE,      X86_INS_SETA,        X86_INS_SETBE,
      X86_INS_SETB,       X86_INS_SETE,       X86_INS_SETGE,       X86_INS_SETG,
      X86_INS_SETLE,      X86_INS_SETL,       X86_INS_SETNE,       X86_INS_SETNO,
      X86_INS_SETNP,      X86_INS_SETNS,      X86_INS_SETO,        X86_INS_SETP,
      X86_INS_SETS,       X86_INS_NOP,        X86_INS_ENDBR64,     X86_INS_PREFETCHT0,
      X86_INS_PREFETCHT1, X86_INS_PREFETCHT2, X86_INS_PREFETCHNTA, X86_INS_PREFETCHW,
      X86_INS_PAUSE,      X86_INS_LFENCE,     X86_INS_MFENCE,      X86_INS_SFENCE,
      X86_INS_SYSCALL,    X86_INS_CALL,       X86_INS_RET};
  if (in_group(i, X86_GRP_JUMP) || in_group(i, X86_GRP_CMOV))
    return i->id != X86_INS_LJMP;
  for (size_t k = 0; k < sizeof fit / sizeof *fit; k++)
    if (i->id == fit[k])
      return true;
  return false;
}

// Of an address; -2: one of 32 bits.
static int
register_number(x86_reg reg)
{
  static const x86_reg numbered[] = {
      X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX, X86_REG_RSP, X86_REG_RBP,
      X86_REG_RSI, X86_REG_RDI, X86_REG_R8,  X86_REG_R9,  X86_REG_R10, X86_REG_R11,
      X86_REG_R12, X86_REG_R13, X86_REG_R14, X86_REG_R15, X86_REG_RIP};
  if (reg == X86_REG_INVALID || reg == X86_REG_RIZ)
    return NO_REGISTER;
  for (int i = 0; i <= REGISTER_RIP; i++)
    if (numbered[i] == reg)
      return i;
  return -2;
}

// Whose operand in memory is an address only, or a hint.
static bool
leaves_memory_alone(unsigned id)
{
  return id == X86_INS_LEA || id == X86_INS_NOP || id == X86_INS_PREFETCHT0 ||
         id == X86_INS_PREFETCHT1 || id == X86_INS_PREFETCHT2 || id == X86_INS_PREFETCHNTA ||
         id == X86_INS_PREFETCHW;
}

// The operand in memory, if there is one. False: its address cannot be told.
static bool
take_operand(const cs_insn *i, struct instruction *to)
{
  const cs_x86 *x86 = &i->detail->x86;
  const cs_x86_op *operand = x86->operands;
  while (operand < x86->operands + x86->op_count && operand->type != X86_OP_MEM)
    operand++;
  if (operand == x86->operands + x86->op_count || leaves_memory_alone(i->id))
    return true;
  to->memory = true;
  to->base = register_number(operand->mem.base);
  to->index = register_number(operand->mem.index);
  to->scale = (unsigned)operand->mem.scale;
  to->displacement = operand->mem.disp;
  to->segment = operand->mem.segment == X86_REG_FS   ? 'f'
                : operand->mem.segment == X86_REG_GS ? 'g'
                                                     : 0;
  to->stores = operand->access == CS_AC_WRITE;
  to->locked = x86->prefix[0] == X86_PREFIX_LOCK || i->id == X86_INS_XCHG;
  return to->base >= NO_REGISTER && to->index >= NO_REGISTER;
}

bool
instruction_decode(const uint8_t *code, size_t length, struct instruction *instruction)
{
  uint64_t address = 0;
  cs_insn *i;
  *instruction = (struct instruction){.base = NO_REGISTER, .index = NO_REGISTER};
  if (!is_open() ||
      !capstone.disassemble(capstone.handle, &code, &length, &address, i = capstone.instruction) ||
      !may_wait(i))
    return false;
  instruction->syscall = i->id == X86_INS_SYSCALL;
  instruction->pause = i->id == X86_INS_PAUSE;
  instruction->length = i->size;
  return take_operand(i, instruction);
}
