/* A container with mounts: tmpfs with files, bind mounts of a directory and a file, a mount inside a mount, shared and
 * slave propagation, read-only. */
#include "container.h"

static void make_file(const char *name, const char *content)
{
	int fd = open(name, O_RDWR | O_CREAT, 0644);

	check(fd >= 0 && write(fd, content, strlen(content)) > 0, name);
}

int main(int argc, char **argv)
{
	(void)argv;
	enter_container(argc, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS);
	survive_signals();
	check(mount("memory", "/tmp", "tmpfs", MS_NOSUID, "size=1m") == 0, "tmpfs");
	make_file("/tmp/file", "in a tmpfs");
	check(mkdir("/tmp/a", 0755) == 0 && mkdir("/tmp/b", 0755) == 0 && mkdir("/tmp/c", 0755) == 0, "mkdir");
	check(mount("/tmp/a", "/tmp/b", NULL, MS_BIND, NULL) == 0, "bind");
	check(mount("/tmp/file", "/dev/null", NULL, MS_BIND, NULL) == 0 && umount("/dev/null") == 0, "file");
	check(mount("inner", "/tmp/c", "tmpfs", MS_RDONLY, NULL) == 0, "inner");
	check(mount("/data", "/data", NULL, MS_BIND, NULL) == 0, "data");
	check(mount(NULL, "/data", NULL, MS_SHARED, NULL) == 0, "shared");
	check(mkdir("/tmp/d", 0755) == 0 && mount("/data", "/tmp/d", NULL, MS_BIND, NULL) == 0, "peer");
	check(mount(NULL, "/tmp/d", NULL, MS_SLAVE, NULL) == 0, "slave");
	check(open("/tmp/b", O_RDONLY | O_DIRECTORY) >= 0, "open");
	sleeper();
	usleep(50000);
	ready();
}
