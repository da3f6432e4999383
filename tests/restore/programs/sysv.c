/* SysV IPC in a namespace of its own: segments attached and not, semaphore sets, queues with messages. */
#include "program.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

int main(void)
{
	struct { long type; char text[20]; } message = { 2, "first in the queue" };
	unsigned short values[3] = { 1, 0, 7 };
	int segment, other, set, queue;
	char *at;

	survive_signals();
	check(unshare(CLONE_NEWIPC) == 0, "unshare");
	check((segment = shmget(0x1234, 12000, IPC_CREAT | 0600)) >= 0, "shmget");
	check((at = shmat(segment, NULL, 0)) != (void *)-1, "shmat");
	strcpy(at, "in a segment");
	check((other = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0640)) >= 0, "shmget");
	check((set = semget(0x77, 3, IPC_CREAT | 0600)) >= 0 && semctl(set, 0, SETALL, values) == 0, "semget");
	check(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600) >= 0, "semget");
	check((queue = msgget(0x88, IPC_CREAT | 0600)) >= 0, "msgget");
	check(msgsnd(queue, &message, 18, 0) == 0, "msgsnd");
	message.type = 5;
	check(msgsnd(queue, &message, 3, 0) == 0 && msgget(0x89, IPC_CREAT | 0600) >= 0, "msgsnd");
	sleeper();
	ready();
}
