/* Timers of all kinds, event descriptors, an epoll instance that watches them, inotify, pending signals, a pidfd. */
#include "program.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>

static void watch(int epoll, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

int main(void)
{
	struct itimerval interval = { { 500, 0 }, { 1000, 0 } };
	struct itimerspec spec = { { 600, 0 }, { 2000, 0 } };
	struct sigevent by_signal = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct sigevent silent = { .sigev_notify = SIGEV_NONE };
	int event, timer, signals, epoll, inotify = -1, pidfd;
	timer_t id;
	sigset_t set;
	pid_t child;

	survive_signals();
	setitimer(ITIMER_REAL, &interval, NULL);
	setitimer(ITIMER_PROF, &interval, NULL);
	check(timer_create(CLOCK_MONOTONIC, &by_signal, &id) == 0 && timer_settime(id, 0, &spec, NULL) == 0, "timer");
	check(timer_create(CLOCK_REALTIME, &silent, &id) == 0, "timer");
	check((event = eventfd(7, EFD_NONBLOCK)) >= 0, "eventfd");
	check((timer = timerfd_create(CLOCK_BOOTTIME, 0)) >= 0 && timerfd_settime(timer, 0, &spec, NULL) == 0, "timerfd");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &set, NULL);
	check((signals = signalfd(-1, &set, SFD_CLOEXEC)) >= 0, "signalfd");
	check((epoll = epoll_create1(0)) >= 0, "epoll");
	watch(epoll, event);
	watch(epoll, timer);
	watch(epoll, signals);
	check(mkdir("watched", 0700) == 0 && (inotify = inotify_init1(IN_NONBLOCK)) >= 0, "inotify");
	check(inotify_add_watch(inotify, "watched", IN_CREATE | IN_DELETE) >= 0, "watch");
	check(inotify_add_watch(inotify, ".", IN_ATTRIB) >= 0, "watch");
	child = sleeper();
	if ((pidfd = syscall(SYS_pidfd_open, child, 0)) < 0)
		check(errno == ENOSYS, "pidfd");
	kill(getpid(), SIGUSR2);
	kill(getpid(), SIGRTMIN + 3);
	syscall(SYS_tgkill, getpid(), getpid(), SIGRTMIN + 3);
	ready();
}
