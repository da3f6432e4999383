/* Pipes with bytes in them, shared with a child; one end only; a pipe of another size; a FIFO with bytes. */
#include "program.h"

int main(void)
{
	int shared[2], full[2], half[2], fifo = -1, reader;
	char bytes[5000];

	survive_signals();
	memset(bytes, 'p', sizeof(bytes));
	check(pipe(shared) == 0 && write(shared[1], "waiting", 7) == 7, "pipe");
	check(pipe2(full, O_NONBLOCK) == 0 && fcntl(full[1], F_SETPIPE_SZ, 8192) > 0, "size");
	check(write(full[1], bytes, sizeof(bytes)) == sizeof(bytes), "write");
	check(pipe2(half, O_CLOEXEC) == 0 && close(half[0]) == 0, "half");
	check(mkfifo("fifo", 0600) == 0 && (fifo = open("fifo", O_RDWR)) >= 0, "fifo");
	check((reader = open("fifo", O_RDONLY | O_NONBLOCK)) >= 0 && write(fifo, "in a fifo", 9) == 9, "fifo");
	check(mkfifo("empty", 0600) == 0 && open("empty", O_RDWR) >= 0, "empty");
	if (fork() == 0) {
		close(shared[0]);
		dup2(shared[1], 20);
		rest();
	}
	usleep(50000);
	ready();
}
