/* A session leader, process groups inside its session, children that lead sessions, a session whose leader has ended,
 * and a stopped child. */
#include "program.h"

int main(void)
{
	pid_t group, stopped;

	survive_signals();
	group = sleeper();
	setpgid(group, group);
	stopped = sleeper();
	setpgid(stopped, group);
	if (fork() == 0) {
		setsid();
		if (fork() == 0) {
			setpgid(0, 0);
			sleeper();
			rest();
		}
		sleeper();
		rest();
	}
	usleep(50000);
	kill(stopped, SIGSTOP);
	usleep(50000);
	ready();
}
