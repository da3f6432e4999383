/* A small container: its own process, mount, host name, IPC and network namespaces, with a child. */
#include "container.h"

int main(int argc, char **argv)
{
	(void)argv;
	enter_container(argc, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET);
	survive_signals();
	check(sethostname("inside", 6) == 0, "sethostname");
	sleeper();
	usleep(50000);
	ready();
}
