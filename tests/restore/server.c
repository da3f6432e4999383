/* What tests/restore/run dumps and restores: a server that answers questions about itself.
 *
 * server ADDRESS PORT FILE: each connection sends one word and gets one line. It has a thread, a pipe with
 * bytes in it, a pair of sockets, a deleted file, shared memory and a timer, so that all of these are in
 * the dump. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void *beside(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int file, deleted, listener, pipes[2], pair[2], one = 1, count = 0;
	pthread_t thread;
	char *shared;

	check(argc == 4, "server ADDRESS PORT FILE");
	signal(SIGPIPE, SIG_IGN);
	file = open(argv[3], O_RDONLY);
	check(file >= 0, argv[3]);
	deleted = open("deleted", O_RDWR | O_CREAT, 0600);
	check(deleted >= 0 && write(deleted, "still here", 10) == 10 && unlink("deleted") == 0, "deleted");
	check(pipe(pipes) == 0 && write(pipes[1], "waiting", 7) == 7, "pipe");
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && write(pair[0], "queued", 6) == 6, "socketpair");
	shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(shared != MAP_FAILED, "mmap");
	strcpy(shared, "shared memory");
	check(eventfd(7, 0) >= 0 && timerfd_create(CLOCK_MONOTONIC, 0) >= 0, "eventfd");
	check(pthread_create(&thread, NULL, beside, NULL) == 0, "thread");
	if (fork() == 0)
		beside(NULL);

	listener = socket(AF_INET, SOCK_STREAM, 0);
	at.sin_port = htons(atoi(argv[2]));
	check(inet_aton(argv[1], &at.sin_addr), argv[1]);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	check(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(listener, 5) == 0, "listen");

	for (;;) {
		int client = accept(listener, NULL, NULL);
		char word[32] = "", answer[256] = "?";

		if (client < 0)
			continue;
		if (read(client, word, sizeof(word) - 1) > 0) {
			word[strcspn(word, "\r\n")] = 0;
			if (!strcmp(word, "count")) {
				snprintf(answer, sizeof(answer), "%d", ++count);
			} else if (!strcmp(word, "file")) {
				ssize_t length = pread(file, answer, sizeof(answer) - 1, 0);
				answer[length > 0 ? length : 0] = 0;
			} else if (!strcmp(word, "host")) {
				gethostname(answer, sizeof(answer));
			} else if (!strcmp(word, "comm")) {
				int comm = open("/proc/self/comm", O_RDONLY);
				ssize_t length = read(comm, answer, sizeof(answer) - 1);
				answer[length > 0 ? length : 0] = 0;
				close(comm);
			} else if (!strcmp(word, "held")) {
				char text[3][16] = { "", "", "" };
				pread(deleted, text[0], 10, 0);
				read(pipes[0], text[1], 7);
				read(pair[1], text[2], 6);
				snprintf(answer, sizeof(answer), "%s, %s, %s, %s", text[0], text[1], text[2], shared);
			}
			answer[strcspn(answer, "\n")] = 0;
			dprintf(client, "%s\n", answer);
		}
		close(client);
	}
}
