/* pattern: memory and registers with known content, to be dumped by CRIU.  No libc, so that a dump is small.
 *   gcc -static -nostdlib -ffreestanding -no-pie -fno-pic -fno-stack-protector -fcf-protection=none \
 *       -fomit-frame-pointer -mno-red-zone -fno-tree-loop-distribute-patterns -mno-avx -O1 -g -Wall -Wl,--build-id pattern.c -o pattern
 * Word i of the page at A is (A + 8*i) ^ 0x5a5a5a5a5a5a5a5a, little endian.  A is the address for private memory, and
 * 0x1000000000*k + offset for what is shared or of a file: k = 1 shared anonymous, 2 memfd, 3 SysV, 4 the file, 5 the
 * file's page 1 as written through the private mapping.  Markers "MARKER-name" lie over that; the text is put together
 * here, and is nowhere else in memory.  Prints "name address" to standard output; thread_one, thread_two spin; main pauses. */
#include <stdint.h>
#include <asm/unistd.h>
typedef uint64_t u64;
typedef unsigned char u8;
#define PAGE 4096ul
#define X 0x5a5a5a5a5a5a5a5aull

#define PRIVATE   0x100000000ul /* 7 pages, 2 and 5 never touched */
#define NEIGHBOUR 0x200000000ul /* 2 pages rw-, 2 pages r-- */
#define GAP       0x300000000ul /* 1 page, 1 unmapped, 1 page */
#define SHANON    0x400000000ul /* 3 pages, 1 never touched */
#define MEMFD     0x500000000ul /* 2 pages */
#define SYSV      0x600000000ul /* 2 pages */
#define FILEMAP   0x700000000ul /* 3 pages, 1 written */
#define NONE      0x800000000ul /* 2 pages, 0 filled before mprotect, 1 never touched */
#define STACK1    0x900000000ul /* 2 pages, thread_one's; fs_base at the second */
#define STACK2    0xa00000000ul
#define KEY 0x50415454

u64 known_global = 0x600dda7a600dda7aull;           /* .data */
volatile int up;                                    /* .bss: threads running */
static const u64 xmm[3][4] = {
	{ 0x0123456789abcdefull, 0xfedcba9876543210ull, 0x1122334455667788ull, 0x99aabbccddeeff00ull },
	{ 0x2222333344445555ull, 0x6666777788889999ull, 0xa0a1a2a3a4a5a6a7ull, 0xb0b1b2b3b4b5b6b7ull },
	{ 0xc0c1c2c3c4c5c6c7ull, 0xd0d1d2d3d4d5d6d7ull, 0xe0e1e2e3e4e5e6e7ull, 0xf0f1f2f3f4f5f6f7ull }, /* ymm2 of thread_one */
};

static long sys(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "+a"(n) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return n;
}
#define S0(n) sys(n, 0, 0, 0, 0, 0, 0)
#define S1(n, a) sys(n, (long)(a), 0, 0, 0, 0, 0)
#define S2(n, a, b) sys(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define S3(n, a, b, c) sys(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CHECK(c) do { if (!(c)) S1(__NR_exit_group, __LINE__ & 255); } while (0)

static void *map(u64 a, int pages, int prot, int flags, int fd)
{
	long r = sys(__NR_mmap, a, pages * PAGE, prot, flags | 0x100000 /* MAP_FIXED_NOREPLACE */, fd, 0);
	CHECK(r == (long)a);
	return (void *)r;
}
#define ANON (0x20 | 2)     /* MAP_ANONYMOUS | MAP_PRIVATE */
#define SHARED 1

static void fill(u64 at, u64 as) { for (int i = 0; i < 512; i++) ((volatile u64 *)at)[i] = (as + 8 * i) ^ X; }

/* n bytes (0: the rest) of "MARKER-name" from skip on */
static void mark(u64 at, const char *name, int skip, int n)
{
	static const char prefix[] = "L@QJDQ,"; /* each one below */
	volatile char *p = (volatile char *)at;
	for (int i = 0; i < 7 || name[i - 7]; i++) if (i >= skip && (!n || i < skip + n)) *p++ = i < 7 ? prefix[i] + 1 : name[i - 7];
}

static void say(const char *name, u64 v)
{
	char b[64]; int n = 0;
	while (name[n]) b[n] = name[n], n++;
	b[n++] = ' '; b[n++] = '0'; b[n++] = 'x';
	int s = 60; while (s && !(v >> s)) s -= 4;
	for (; s >= 0; s -= 4) b[n++] = "0123456789abcdef"[v >> s & 15];
	b[n++] = '\n';
	S3(__NR_write, 1, b, n);
}

/* general registers but sp: base + number as the machine encodes it (0 ax 1 cx 2 dx 3 bx 5 bp 6 si 7 di 8.. r8..) */
#define SETREG(r, base, n) "movabs $" #base "+" #n ",%%" #r "\n"
#define SETSAVED(base) SETREG(rbx, base, 3) SETREG(rbp, base, 5) SETREG(r12, base, 12) SETREG(r13, base, 13) SETREG(r14, base, 14) SETREG(r15, base, 15)
#define SETARGS(base) SETREG(rdx, base, 2) SETREG(rsi, base, 6) SETREG(rdi, base, 7) SETREG(r8, base, 8) SETREG(r9, base, 9) SETREG(r10, base, 10)
#define SPIN(base) SETSAVED(base) SETARGS(base) SETREG(rax, base, 0) SETREG(rcx, base, 1) SETREG(r11, base, 11) "1: pause\n jmp 1b\n"

__attribute__((noinline, noreturn)) void thread_one(void)
{
	volatile u64 local_one = 0x1111111111111111ull;
	S2(__NR_prctl, 15, "one");
	__sync_fetch_and_add(&up, 1);
	__asm__ volatile("vmovdqu %2,%%ymm2\n movdqu %0,%%xmm0\n movdqu %1,%%xmm1\n fldpi\n stc\n" SPIN(0x1111222233334400)
		:: "m"(xmm[0][0]), "m"(xmm[0][2]), "m"(xmm[2][0]), "m"(local_one) : "memory");
	__builtin_unreachable();
}

__attribute__((noinline, noreturn)) void thread_two(void)
{
	volatile u64 local_two = 0x2222222222222222ull;
	S2(__NR_prctl, 15, "two");
	__sync_fetch_and_add(&up, 1);
	__asm__ volatile("movdqu %0,%%xmm0\n movdqu %1,%%xmm1\n" SPIN(0xa222333344445500)
		:: "m"(xmm[1][0]), "m"(xmm[1][2]), "m"(local_two) : "memory");
	__builtin_unreachable();
}

__attribute__((noinline, noreturn)) void park(void)
{
	volatile u64 local_main = 0x3333333333333333ull;
	__asm__ volatile(SETSAVED(0x3333444455556600) SETARGS(0x3333444455556600) "1: mov $34,%%eax\n syscall\n jmp 1b\n" :: "m"(local_main) : "memory");
	__builtin_unreachable();
}

/* spawn(stack, function, tls): a thread */
long spawn(void *stack, void (*f)(void), void *tls);
__asm__(".text\n.globl spawn\n.type spawn,@function\nspawn:\n.cfi_startproc\n"
	"sub $8,%rdi\n mov %rsi,(%rdi)\n mov %rdx,%r8\n mov %rdi,%rsi\n mov $0xd0f00,%edi\n" /* VM FS FILES SIGHAND THREAD SYSVSEM SETTLS */
	"xor %edx,%edx\n xor %r10d,%r10d\n mov $56,%eax\n syscall\n test %eax,%eax\n jz thread_start\n ret\n.cfi_endproc\n.size spawn,.-spawn\n"
	".globl thread_start\n.type thread_start,@function\nthread_start:\n.cfi_startproc\n.cfi_undefined rip\n"
	"pop %rax\n call *%rax\n hlt\n.cfi_endproc\n.size thread_start,.-thread_start\n"
	".globl _start\n.type _start,@function\n_start:\n.cfi_startproc\n.cfi_undefined rip\n"
	"xor %ebp,%ebp\n and $-16,%rsp\n call main\n hlt\n.cfi_endproc\n.size _start,.-_start\n");

__attribute__((noinline)) int main(void)
{
	u64 a;
	/* heap */
	u64 heap = S1(__NR_brk, 0);
	CHECK(!(heap & 4095) && (u64)S1(__NR_brk, heap + 3 * PAGE) == heap + 3 * PAGE);
	for (a = heap; a < heap + 3 * PAGE; a += PAGE) fill(a, a);
	mark(heap + PAGE - 6, "heap", 0, 0);
	/* private */
	map(PRIVATE, 7, 3, ANON, -1);
	for (int i = 0; i < 7; i++) if (i != 2 && i != 5) fill(PRIVATE + i * PAGE, PRIVATE + i * PAGE);
	mark(PRIVATE + 3 * PAGE + 0x100, "private", 0, 0);
	mark(PRIVATE + 5 * PAGE - 5, "hole", 0, 5); mark(PRIVATE + 6 * PAGE, "hole", 5, 0);
	/* neighbours */
	map(NEIGHBOUR, 4, 3, ANON, -1);
	for (a = NEIGHBOUR; a < NEIGHBOUR + 4 * PAGE; a += PAGE) fill(a, a);
	mark(NEIGHBOUR + 2 * PAGE - 8, "neighbour", 0, 0);
	CHECK(!S3(__NR_mprotect, NEIGHBOUR + 2 * PAGE, 2 * PAGE, 1));
	/* gap */
	map(GAP, 1, 3, ANON, -1); map(GAP + 2 * PAGE, 1, 3, ANON, -1);
	fill(GAP, GAP); fill(GAP + 2 * PAGE, GAP + 2 * PAGE);
	mark(GAP + PAGE - 5, "gap", 0, 5); mark(GAP + 2 * PAGE, "gap", 5, 0);
	/* shared anonymous */
	map(SHANON, 3, 3, SHARED | 0x20, -1);
	fill(SHANON, 0x1000000000); fill(SHANON + 2 * PAGE, 0x1000002000);
	mark(SHANON + 2 * PAGE + 0x200, "shanon", 0, 0);
	/* memfd; stays open */
	long fd = S2(__NR_memfd_create, "pattern", 0);
	CHECK(fd >= 0 && !S2(__NR_ftruncate, fd, 2 * PAGE));
	map(MEMFD, 2, 3, SHARED, fd);
	fill(MEMFD, 0x2000000000); fill(MEMFD + PAGE, 0x2000001000);
	mark(MEMFD + PAGE - 7, "memfd", 0, 0);
	/* SysV */
	long id = S3(__NR_shmget, KEY, 2 * PAGE, 03600);
	CHECK(id >= 0 && S3(__NR_shmat, id, SYSV, 0) == (long)SYSV);
	fill(SYSV, 0x3000000000); fill(SYSV + PAGE, 0x3000001000);
	mark(SYSV + PAGE + 0x300, "sysv", 0, 0);
	/* file: written through a shared mapping, then mapped private */
	fd = S3(__NR_open, "pattern.dat", 01102, 0644);
	CHECK(fd >= 0 && !S2(__NR_ftruncate, fd, 3 * PAGE));
	map(FILEMAP, 3, 3, SHARED, fd);
	for (int i = 0; i < 3; i++) fill(FILEMAP + i * PAGE, 0x4000000000 + i * PAGE);
	mark(FILEMAP + 2 * PAGE + 0x400, "clean", 0, 0);
	mark(FILEMAP + PAGE + 0x400, "covered", 0, 0);
	S2(__NR_munmap, FILEMAP, 3 * PAGE);
	map(FILEMAP, 3, 3, 2 /* MAP_PRIVATE */, fd);
	fill(FILEMAP + PAGE, 0x5000001000);
	mark(FILEMAP + PAGE + 0x500, "cow", 0, 0);
	S1(__NR_close, fd);
	/* none */
	map(NONE, 2, 3, ANON, -1);
	fill(NONE, NONE);
	mark(NONE + 0x600, "none", 0, 0);
	CHECK(!S3(__NR_mprotect, NONE, 2 * PAGE, 0));
	/* threads */
	map(STACK1, 2, 3, ANON, -1); map(STACK2, 2, 3, ANON, -1);
	long one = spawn((void *)(STACK1 + 2 * PAGE), thread_one, (void *)(STACK1 + PAGE));
	while (up < 1) S0(__NR_sched_yield);
	long two = spawn((void *)(STACK2 + 2 * PAGE), thread_two, (void *)(STACK2 + PAGE));
	while (up < 2) S0(__NR_sched_yield);
	CHECK(one > 0 && two > 0);
	say("main", S0(__NR_getpid)); say("thread_one", one); say("thread_two", two);
	say("heap", heap);
	say("ready", 1);
	park();
}
