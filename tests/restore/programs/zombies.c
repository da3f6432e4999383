/* Children that have ended and nobody waited for: by an exit code, by a signal; and one alive with a zombie child. */
#include "program.h"

static void ended(int code, int number)
{
	pid_t pid = fork();

	check(pid >= 0, "fork");
	if (pid == 0) {
		if (number)
			kill(getpid(), number);
		_exit(code);
	}
}

int main(void)
{
	survive_signals();
	ended(3, 0);
	ended(0, SIGKILL);
	if (fork() == 0) {
		ended(7, 0);
		rest();
	}
	sleeper();
	usleep(100000);
	ready();
}
