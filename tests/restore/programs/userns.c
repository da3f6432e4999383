/* A container with a user namespace of two ranges of users, and a child of another user. */
#include "container.h"

int main(int argc, char **argv)
{
	(void)argv;
	enter_container(argc, CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC);
	survive_signals();
	if (fork() == 0) {
		check(setgid(7) == 0 && setuid(1050) == 0, "setuid");
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		rest();
	}
	usleep(50000);
	ready();
}
