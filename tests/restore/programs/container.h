/* Puts the calling program into namespaces of its own, on a root file system of its own: the directory `rootfs` of the
 * working directory, with the program, /dev/null and /proc in it. The program must be linked statically. */
#include "program.h"
#include <sys/mount.h>
#include <sys/sysmacros.h>

static void build_root(void)
{
	check(mkdir("rootfs", 0755) == 0 && mkdir("rootfs/proc", 0755) == 0 && mkdir("rootfs/dev", 0755) == 0, "rootfs");
	check(mkdir("rootfs/tmp", 0755) == 0 && mkdir("rootfs/data", 0755) == 0, "rootfs");
	check(mknod("rootfs/dev/null", S_IFCHR | 0666, makedev(1, 3)) == 0, "mknod");
	check(link("/proc/self/exe", "rootfs/program") == 0 || link("program", "rootfs/program") == 0, "link");
	check(chmod("rootfs/dev/null", 0666) == 0, "chmod");
}

static void enter_root(void)
{
	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private");
	check(mount("rootfs", "rootfs", NULL, MS_BIND, NULL) == 0 && chdir("rootfs") == 0, "bind");
	/* A user namespace may mount /proc only while another one is visible. */
	check(mount("proc", "proc", "proc", 0, NULL) == 0, "proc");
	check(syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 && chdir("/") == 0, "pivot_root");
}

static void renew_stdio(void)
{
	int null = open("/dev/null", O_RDWR);

	check(null >= 0, "null");
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	if (null > 2)
		close(null);
}

static void write_map(long pid, const char *name)
{
	const char *map = "0 0 1000\n1000 5000 100\n";
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/%s", pid, name);
	fd = open(path, O_WRONLY);
	check(fd >= 0 && write(fd, map, strlen(map)) > 0, path);
	close(fd);
}

/* Returns only inside of the container, in its first process. The file `pid` holds its process ID outside. */
static void enter_container(int argc, int flags)
{
	char number[20];
	int fd, go[2];
	long pid;

	if (argc > 1)
		return;
	build_root();
	check(pipe2(go, O_CLOEXEC) == 0, "pipe");
	pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
	check(pid >= 0, "clone");
	if (pid > 0) {
		if (flags & CLONE_NEWUSER) {
			write_map(pid, "uid_map");
			write_map(pid, "gid_map");
		}
		check(write(go[1], "g", 1) == 1, "go");
		snprintf(number, sizeof(number), "%ld", pid);
		fd = open("pid", O_WRONLY | O_CREAT, 0600);
		check(fd >= 0 && write(fd, number, strlen(number)) > 0, "pid");
		_exit(0);
	}
	check(read(go[0], number, 1) == 1, "go");
	setsid();
	enter_root();
	renew_stdio();
	execl("/program", "/program", "inside", NULL);
	check(0, "execl");
}
