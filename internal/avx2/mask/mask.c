/* Preloaded into a process, it answers the processor's questions about itself (CPUID) as a processor with AVX2 and without AVX-512
   would, where a copy of a library has the instruction HLT in the place of CPUID: see ../main.go. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stddef.h>
#include <ucontext.h>

static struct sigaction before;

/* hide clears what such a processor lacks, by the bits of the leaf "extended features". */
static void hide(unsigned leaf, unsigned sub, unsigned *a, unsigned *b, unsigned *c, unsigned *d) {
  if (leaf != 7) return;
  if (sub == 0) {
    *b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31); /* F DQ IFMA PF ER CD BW VL */
    *c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);                                    /* VBMI VBMI2 VNNI BITALG VPOPCNTDQ */
    *d &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25); /* 4VNNIW 4FMAPS VP2INTERSECT AMX-BF16 FP16 AMX-TILE AMX-INT8 */
  } else if (sub == 1) {
    *a &= ~(1u << 4 | 1u << 5 | 1u << 21 | 1u << 23); /* AVX-VNNI AVX512-BF16 AMX-FP16 AVX-IFMA */
    *d &= ~(1u << 4 | 1u << 5 | 1u << 10 | 1u << 19); /* AVX-VNNI-INT8 AVX-NE-CONVERT AVX-VNNI-INT16 AVX10 */
  }
}

/* HLT is not allowed to programs: the kernel says so with SIGSEGV, which Go's runtime hands on when C code runs. */
static void answer(int sig, siginfo_t *info, void *context) {
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  const unsigned char *at = (const unsigned char *)r[REG_RIP];
  if (info->si_code != SI_KERNEL || at[0] != 0xf4 || at[1] != 0xa2) {
    sigaction(sig, &before, NULL); /* whatever it is, it happens again there */
    return;
  }
  unsigned leaf = (unsigned)r[REG_RAX], sub = (unsigned)r[REG_RCX], a, b, c, d;
  __cpuid_count(leaf, sub, a, b, c, d);
  hide(leaf, sub, &a, &b, &c, &d);
  r[REG_RAX] = a, r[REG_RBX] = b, r[REG_RCX] = c, r[REG_RDX] = d;
  r[REG_RIP] += 2;
}

__attribute__((constructor)) static void prepare(void) {
  struct sigaction ours = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  sigaction(SIGSEGV, &ours, &before);
}
