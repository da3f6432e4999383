/* Deleted files that are still open: with content, with a hole, mapped, a FIFO, a directory; and the working directory
 * of a child deleted. */
#include "program.h"

static int deleted(const char *name, int flags)
{
	int fd = open(name, flags | O_CREAT, 0600);

	check(fd >= 0, name);
	return fd;
}

int main(void)
{
	int small, large, mapped, fifo = -1;
	char *at;

	survive_signals();
	small = deleted("small", O_RDWR);
	check(write(small, "still here", 10) == 10 && open("small", O_RDONLY) >= 0 && unlink("small") == 0, "small");
	large = deleted("large", O_RDWR);
	check(pwrite(large, "at the end", 10, 200000) == 10 && unlink("large") == 0, "large");
	mapped = deleted("mapped", O_RDWR);
	check(ftruncate(mapped, 8192) == 0, "ftruncate");
	at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
	check(at != MAP_FAILED && unlink("mapped") == 0, "mapped");
	at[0] = 'm';
	close(mapped);
	check(mkfifo("fifo", 0600) == 0 && (fifo = open("fifo", O_RDWR)) >= 0, "fifo");
	check(write(fifo, "left", 4) == 4 && unlink("fifo") == 0, "fifo");
	check(mkdir("gone", 0700) == 0 && open("gone", O_RDONLY | O_DIRECTORY) >= 0, "gone");
	sleeper();
	check(rmdir("gone") == 0, "rmdir");
	ready();
}
