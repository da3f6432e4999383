/* Shared anonymous memory across fork, private pages that were written before and after it, a guard page without
 * access, a growing stack area, advice, locked pages. */
#include "program.h"

int main(void)
{
	char *shared, *private, *none, *rarely;

	survive_signals();
	shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	private = mmap(NULL, 131072, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	none = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rarely = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	check(shared != MAP_FAILED && private != MAP_FAILED && none != MAP_FAILED && rarely != MAP_FAILED, "mmap");
	strcpy(shared + 4096, "shared memory");
	memset(private, 'p', 131072);
	memset(rarely, 'r', 4096);
	madvise(rarely, 16384, MADV_DONTFORK);
	madvise(private, 4096, MADV_RANDOM);
	if (fork() == 0) {
		private[8192] = 'c';
		munmap(shared, 4096);
		if (fork() == 0) {
			shared[8192] = 'g';
			rest();
		}
		rest();
	}
	private[0] = 'f';
	usleep(50000);
	ready();
}
