/* Four threads: one with a name and a nice value, one with its own blocked signals, one with a real-time policy asked
 * for (and kept if the system permits it). */
#include "program.h"

static void *named(void *arg)
{
	(void)arg;
	prctl(PR_SET_NAME, "named", 0, 0, 0);
	syscall(SYS_setpriority, 0, syscall(SYS_gettid), 5);
	rest();
	return NULL;
}

static void *blocked(void *arg)
{
	sigset_t set;

	(void)arg;
	sigfillset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	rest();
	return NULL;
}

static void *batch(void *arg)
{
	struct sched_param parameters = { .sched_priority = 0 };

	(void)arg;
	sched_setscheduler(0, SCHED_BATCH, &parameters);
	rest();
	return NULL;
}

int main(void)
{
	pthread_t thread;

	survive_signals();
	check(pthread_create(&thread, NULL, named, NULL) == 0, "thread");
	check(pthread_create(&thread, NULL, blocked, NULL) == 0, "thread");
	check(pthread_create(&thread, NULL, batch, NULL) == 0, "thread");
	usleep(50000);
	ready();
}
