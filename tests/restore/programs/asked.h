/* A program that is asked after its restore: on SIGUSR1 it writes what it is and what it has into the file `said`. */
#pragma once
#include "program.h"

/* Blocks the signal: to be called before any thread or child is started. */
static inline void expect_questions(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	check(sigprocmask(SIG_BLOCK, &set, NULL) == 0, "sigprocmask");
}

/* Creates the file `ready` in a directory and answers questions in the file `said` there. `say` writes one line for
 * each thing. */
static inline void answer(const char *directory, void (*say)(FILE *out))
{
	char name[200], new[200];
	sigset_t set;
	int fd, number;
	FILE *out;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	snprintf(name, sizeof(name), "%s/ready", directory);
	check((fd = open(name, O_WRONLY | O_CREAT, 0600)) >= 0 && close(fd) == 0, "ready");
	snprintf(name, sizeof(name), "%s/said", directory);
	snprintf(new, sizeof(new), "%s/said.new", directory);
	for (;;) {
		check(sigwait(&set, &number) == 0, "sigwait");
		check((out = fopen(new, "w")) != NULL, "said");
		say(out);
		check(fclose(out) == 0 && rename(new, name) == 0, "said");
	}
}

/* Writes up to 100 bytes from the start of a file to a line. */
static inline void say_content(FILE *out, const char *what, int fd)
{
	char text[101];
	ssize_t count = pread(fd, text, sizeof(text) - 1, 0);

	if (count < 0)
		fprintf(out, "%s: %s\n", what, strerror(errno));
	else
		fprintf(out, "%s: %.*s\n", what, (int)count, text);
}

/* Writes the path of a descriptor to a line. */
static inline void say_path(FILE *out, const char *what, int fd)
{
	char link[64], path[300];
	ssize_t count;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	count = readlink(link, path, sizeof(path));
	fprintf(out, "%s: %.*s\n", what, count < 0 ? 0 : (int)count, path);
}
