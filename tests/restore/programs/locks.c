/* File locks: POSIX, flock, open file description locks and a lease. */
#include "program.h"
#include <sys/file.h>

static int lock_file(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT, 0600);

	check(fd >= 0 && write(fd, "0123456789", 10) == 10, name);
	return fd;
}

int main(void)
{
	struct flock range = { .l_type = F_WRLCK, .l_start = 2, .l_len = 3 };
	struct flock rest_of = { .l_type = F_RDLCK, .l_start = 6 };
	int posix, whole, description, lease;

	survive_signals();
	posix = lock_file("posix");
	check(fcntl(posix, F_SETLK, &range) == 0 && fcntl(posix, F_SETLK, &rest_of) == 0, "posix");
	whole = lock_file("whole");
	check(flock(whole, LOCK_EX) == 0, "flock");
	description = lock_file("description");
	check(fcntl(description, F_OFD_SETLK, &range) == 0, "description");
	close(lock_file("lease"));
	check((lease = open("lease", O_RDONLY)) >= 0 && fcntl(lease, F_SETLEASE, F_RDLCK) == 0, "lease");
	if (fork() == 0) {
		int own = lock_file("child");

		check(fcntl(own, F_SETLK, &range) == 0, "child");
		rest();
	}
	usleep(50000);
	ready();
}
