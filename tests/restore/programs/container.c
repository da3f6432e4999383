/* The program in the container of an engine: a thread, a child, a pipe, a socket pair, a file in memory, a deleted
 * file. */
#include "program.h"

static void *thread_rest(void *arg)
{
	(void)arg;
	rest();
	return NULL;
}

int main(void)
{
	int pipes[2], pair[2], file;
	pthread_t thread;

	survive_signals();
	check(pipe(pipes) == 0 && write(pipes[1], "waiting", 7) == 7, "pipe");
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && write(pair[0], "queued", 6) == 6, "pair");
	check((file = open("/dev/shm/kept", O_RDWR | O_CREAT, 0600)) >= 0 && write(file, "kept", 4) == 4, "kept");
	check((file = open("/dev/shm/deleted", O_RDWR | O_CREAT, 0600)) >= 0, "deleted");
	check(write(file, "deleted", 7) == 7 && unlink("/dev/shm/deleted") == 0, "unlink");
	check(pthread_create(&thread, NULL, thread_rest, NULL) == 0, "thread");
	sleeper();
	usleep(50000);
	ready();
}
