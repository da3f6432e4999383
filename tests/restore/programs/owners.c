/* A container with a program of an unprivileged user, and what that user owns. As
 * owners_mapped.c it has a user namespace too: `crit replace` is given the IDs inside. */
#include "container.h"
#include "asked.h"
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/un.h>

#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif

#ifndef NAMESPACES
#define NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)
#endif

/* The IDs of the other group and the other user must stay. */
enum { USER = 1021, GROUP = 1031, SECOND_GROUP = 1032, OTHER_GROUP = 1033, OTHER_USER = 1023 };

static int pipes[2], fifo, ghost, memory_ghost, directory_ghost, memfd, listener, pair[2], segment, set, queue;
static int in_memory, foreign, master, slave;

static void say_owner(FILE *out, const char *what, int fd)
{
	struct stat status;

	if (fstat(fd, &status) == 0)
		fprintf(out, "%s: %u:%u %o\n", what, status.st_uid, status.st_gid, status.st_mode & 07777);
	else
		fprintf(out, "%s: %s\n", what, strerror(errno));
}

static void say_owner_at(FILE *out, const char *what, const char *path)
{
	struct stat status;

	if (lstat(path, &status) == 0)
		fprintf(out, "%s: %u:%u %o\n", what, status.st_uid, status.st_gid, status.st_mode & 07777);
	else
		fprintf(out, "%s: %s\n", what, strerror(errno));
}

static void say_ipc(FILE *out, const char *what, int code, const struct ipc_perm *perm)
{
	if (code < 0)
		fprintf(out, "%s: %s\n", what, strerror(errno));
	else
		fprintf(out, "%s: %u:%u by %u:%u %o\n", what, perm->uid, perm->gid, perm->cuid, perm->cgid,
			perm->mode & 0777);
}

static void say_options(FILE *out, const char *mountpoint)
{
	char line[1000], at[300], *uid, *gid;
	FILE *mounts = fopen("/proc/self/mountinfo", "r");

	while (mounts && fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%*d %*d %*s %*s %299s", at) == 1 && strcmp(at, mountpoint) == 0) {
			uid = strstr(line, "uid=");
			gid = strstr(line, "gid=");
			fprintf(out, "mount %s: %d:%d\n", at, uid ? atoi(uid + 4) : -1, gid ? atoi(gid + 4) : -1);
		}
	if (mounts)
		fclose(mounts);
}

static void say(FILE *out)
{
	struct { uid_t real, effective; } signaled = { 0 };
	union { struct semid_ds *ds; } by;
	struct shmid_ds shm;
	struct msqid_ds msg;
	struct semid_ds sem;
	uid_t uid[3];
	gid_t gid[3], groups[20];
	int count, i;

	check(getresuid(uid, uid + 1, uid + 2) == 0 && getresgid(gid, gid + 1, gid + 2) == 0, "ids");
	fprintf(out, "users: %u %u %u %d\n", uid[0], uid[1], uid[2], setfsuid(-1));
	fprintf(out, "group IDs: %u %u %u %d\n", gid[0], gid[1], gid[2], setfsgid(-1));
	check((count = getgroups(20, groups)) >= 0, "getgroups");
	fprintf(out, "groups:");
	for (i = 0; i < count; i++)
		fprintf(out, " %u", groups[i]);
	fprintf(out, "\n");
	say_owner(out, "pipe", pipes[0]);
	say_owner(out, "FIFO", fifo);
	say_owner(out, "deleted file", ghost);
	say_owner(out, "deleted file in a tmpfs", memory_ghost);
	say_owner(out, "deleted directory", directory_ghost);
	say_owner(out, "memfd", memfd);
	say_owner(out, "file in a tmpfs", in_memory);
	say_owner(out, "file of another user", foreign);
	say_owner_at(out, "tmpfs", "/tmp");
	say_options(out, "/tmp");
	say_options(out, "/dev/pts");
	say_owner(out, "terminal", slave);
	say_owner_at(out, "socket", "/home/socket");
	by.ds = &sem;
	say_ipc(out, "segment", shmctl(segment, IPC_STAT, &shm), &shm.shm_perm);
	say_ipc(out, "queue", msgctl(queue, IPC_STAT, &msg), &msg.msg_perm);
	say_ipc(out, "semaphores", semctl(set, 0, IPC_STAT, by), &sem.sem_perm);
	check(fcntl(pipes[0], F_GETOWNER_UIDS, &signaled) == 0, "F_GETOWNER_UIDS");
	fprintf(out, "signal owner: %u %u\n", signaled.real, signaled.effective);
}

int main(int argc, char **argv)
{
	gid_t groups[] = { SECOND_GROUP, OTHER_GROUP };
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/home/socket" };
	char options[80];

	(void)argv;
	enter_container(argc, NAMESPACES);
	survive_signals();
	expect_questions();
	umask(0);
	snprintf(options, sizeof(options), "size=1m,mode=1770,uid=%d,gid=%d", USER, GROUP);
	check(mount("memory", "/tmp", "tmpfs", 0, options) == 0, "/tmp");
	check((foreign = open("/tmp/foreign", O_RDWR | O_CREAT, 0640)) >= 0, "foreign");
	check(fchown(foreign, OTHER_USER, OTHER_GROUP) == 0, "fchown");
	snprintf(options, sizeof(options), "newinstance,ptmxmode=0666,mode=0620,gid=%d", GROUP);
	check(mkdir("/dev/pts", 0755) == 0 && mount("devpts", "/dev/pts", "devpts", 0, options) == 0, "/dev/pts");
	check(symlink("pts/ptmx", "/dev/ptmx") == 0, "/dev/ptmx");
	check(chmod("/", 0777) == 0 && mkdir("/home", 0700) == 0 && chown("/home", USER, GROUP) == 0, "/home");
	check(setgroups(2, groups) == 0 && setresgid(GROUP, GROUP, GROUP) == 0, "groups");
	check(setresuid(USER, USER, USER) == 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0, "user");
	check(pipe(pipes) == 0 && write(pipes[1], "waiting", 7) == 7, "pipe");
	check(fcntl(pipes[0], F_SETOWN, getpid()) == 0, "F_SETOWN");
	check(mkfifo("/home/fifo", 0600) == 0 && (fifo = open("/home/fifo", O_RDWR)) >= 0, "fifo");
	check(write(fifo, "left", 4) == 4, "fifo");
	check((ghost = open("/home/ghost", O_RDWR | O_CREAT, 0600)) >= 0 && write(ghost, "here", 4) == 4, "ghost");
	check((memory_ghost = open("/tmp/ghost", O_RDWR | O_CREAT, 0640)) >= 0, "ghost");
	check(unlink("/home/ghost") == 0 && unlink("/tmp/ghost") == 0, "unlink");
	check(mkdir("/home/gone", 0710) == 0, "mkdir");
	check((directory_ghost = open("/home/gone", O_RDONLY | O_DIRECTORY)) >= 0 && rmdir("/home/gone") == 0, "gone");
	check((in_memory = open("/tmp/file", O_RDWR | O_CREAT, 0604)) >= 0 && write(in_memory, "in", 2) == 2, "file");
	check((memfd = memfd_create("memory", 0)) >= 0 && write(memfd, "content", 7) == 7, "memfd");
	check((listener = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0, "socket");
	check(bind(listener, (void *)&address, sizeof(address)) == 0 && listen(listener, 5) == 0, "listen");
	check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && write(pair[0], "queued", 6) == 6, "pair");
	check((segment = shmget(0x1234, 8192, IPC_CREAT | 0640)) >= 0, "shmget");
	check(shmat(segment, NULL, 0) != (void *)-1, "shmat");
	check((queue = msgget(0x88, IPC_CREAT | 0604)) >= 0, "msgget");
	check((set = semget(0x77, 2, IPC_CREAT | 0600)) >= 0, "semget");
	check((master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY)) >= 0 && unlockpt(master) == 0, "master");
	check((slave = open("/dev/pts/0", O_RDWR | O_NOCTTY)) >= 0, "slave");
	answer("", say);
}
