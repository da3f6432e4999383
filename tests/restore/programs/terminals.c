/* Pseudo terminals: one pair that is the controlling terminal of a child session with a foreground group, one pair
 * without a session, with bytes in it. */
#include "program.h"
#include <sys/ioctl.h>
#include <termios.h>

static int master(int *slave)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	check(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0, "posix_openpt");
	check((*slave = open(ptsname(fd), O_RDWR | O_NOCTTY)) >= 0, "slave");
	return fd;
}

int main(void)
{
	struct winsize size = { 24, 80, 0, 0 };
	struct termios raw;
	int first, second, slave, other;

	survive_signals();
	first = master(&slave);
	check(ioctl(first, TIOCSWINSZ, &size) == 0, "size");
	second = master(&other);
	check(tcgetattr(other, &raw) == 0, "tcgetattr");
	cfmakeraw(&raw);
	check(tcsetattr(other, TCSANOW, &raw) == 0 && write(second, "typed", 5) == 5, "tcsetattr");
	if (fork() == 0) {
		setsid();
		check(ioctl(slave, TIOCSCTTY, 0) == 0, "TIOCSCTTY");
		sleeper();
		rest();
	}
	usleep(50000);
	ready();
}
