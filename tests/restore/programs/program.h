/* Helpers that the programs of tests/restore/verdicts share. Each program sets up one kind of state, creates the file
 * `ready` in its working directory, and sleeps. The signals of its timers do not end it. */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline void check(int ok, const char *what)
{
	if (!ok) {
		FILE *log = fopen("failed", "w");
		if (log) {
			fprintf(log, "%s: %s\n", what, strerror(errno));
			fclose(log);
		}
		_exit(1);
	}
}

static inline void nothing(int number)
{
	(void)number;
}

static inline void rest(void)
{
	for (;;)
		pause();
}

/* Starts a child that sleeps. */
static inline pid_t sleeper(void)
{
	pid_t pid = fork();

	check(pid >= 0, "fork");
	if (pid == 0)
		rest();
	return pid;
}

static inline void survive_signals(void)
{
	signal(SIGALRM, nothing);
	signal(SIGVTALRM, nothing);
	signal(SIGPROF, nothing);
	signal(SIGUSR1, nothing);
	signal(SIGUSR2, nothing);
	signal(SIGRTMIN + 3, nothing);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
}

/* Creates the file `ready` and sleeps. */
static inline void ready(void)
{
	int fd = open("ready", O_WRONLY | O_CREAT, 0600);

	check(fd >= 0, "ready");
	close(fd);
	rest();
}
