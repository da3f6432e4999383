/* memfds: one mapped and shared with a child, one sealed, one empty, one only mapped. */
#include "program.h"

static int make(const char *name, unsigned flags, int size)
{
	int fd = memfd_create(name, flags);

	check(fd >= 0 && ftruncate(fd, size) == 0, name);
	return fd;
}

int main(void)
{
	int shared, sealed, mapped;
	char *address;

	survive_signals();
	shared = make("shared", 0, 16384);
	address = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
	check(address != MAP_FAILED, "mmap");
	strcpy(address + 4096, "in a memfd");
	sealed = make("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC, 0);
	check(write(sealed, "content", 7) == 7, "write");
	check(fcntl(sealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE) == 0, "seals");
	make("empty", 0, 0);
	mapped = make("mapped", 0, 8192);
	address = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
	check(address != MAP_FAILED, "mmap");
	address[0] = 'm';
	close(mapped);
	sleeper();
	usleep(50000);
	ready();
}
