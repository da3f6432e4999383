/* Regular files in several modes, positions and tables: shared by fork, shared by CLONE_FILES, a directory, a mapped
 * file, another working directory, a umask. */
#include "program.h"

static char stack[65536];

static int clone_rest(void *arg)
{
	(void)arg;
	rest();
	return 0;
}

int main(void)
{
	int data, append, directory;
	char *private, *shared;

	survive_signals();
	umask(027);
	check((data = open("data", O_RDWR | O_CREAT, 0640)) >= 0 && ftruncate(data, 16384) == 0, "data");
	check(lseek(data, 1234, SEEK_SET) == 1234 && dup2(data, 30) == 30, "position");
	check((append = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600)) >= 0 && write(append, "line\n", 5) == 5, "log");
	check(mkdir("below", 0755) == 0 && (directory = open("below", O_RDONLY | O_DIRECTORY)) >= 0, "below");
	check(open("data", O_PATH) >= 0 && open("/dev/zero", O_RDONLY) >= 0, "path");
	private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, data, 0);
	shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, data, 8192);
	check(private != MAP_FAILED && shared != MAP_FAILED, "mmap");
	private[0] = 'x';
	shared[0] = 'y';
	if (fork() == 0) {
		check(chdir("below") == 0, "chdir");
		check(fcntl(append, F_SETOWN, getppid()) == 0 && fcntl(append, F_SETSIG, SIGUSR1) == 0, "owner");
		rest();
	}
	check(clone(clone_rest, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL) > 0, "clone");
	usleep(50000);
	ready();
}
