/* A container whose directories are renamed between dump and restore: /data of its root file system, which is bind
 * mounted elsewhere, and /mem/old of a tmpfs. The names are on other file systems too, where they must stay. */
#include "container.h"
#include "asked.h"
#include <sys/inotify.h>
#include <sys/un.h>

static int in_data, by_bound, by_deep, by_file, in_tmp, by_alike, by_alike_too, in_mem, by_memory, in_sub, beside, gone;
static int single, memory_gone, listener, relative, watch;
static char *mapped;

static int make(const char *name, const char *content)
{
	int fd = open(name, O_RDWR | O_CREAT, 0644);

	check(fd >= 0 && write(fd, content, strlen(content)) > 0, name);
	return fd;
}

static int made(const char *name, const char *content)
{
	int fd;

	close(make(name, content));
	check((fd = open(name, O_RDONLY)) >= 0, name);
	return fd;
}

static int again(const char *name)
{
	int fd = open(name, O_RDONLY);

	check(fd >= 0, name);
	return fd;
}

static void bind_mount(const char *source, const char *target)
{
	check(mount(source, target, NULL, MS_BIND, NULL) == 0, target);
}

static int bound_socket(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, name);
	check(fd >= 0 && bind(fd, (void *)&address, sizeof(address)) == 0 && listen(fd, 5) == 0, name);
	return fd;
}

static void say_socket(FILE *out, const char *what, int fd)
{
	struct sockaddr_un address = { 0 };
	socklen_t length = sizeof(address);
	int client = socket(AF_UNIX, SOCK_STREAM, 0), there;

	getsockname(fd, (void *)&address, &length);
	there = connect(client, (void *)&address, length) == 0;
	fprintf(out, "%s: %s, %s\n", what, address.sun_path, there ? "connected" : strerror(errno));
	close(client);
}

static void say_watch(FILE *out, const char *touched)
{
	struct inotify_event event = { 0 };
	char space[500];
	int fd = open(touched, O_RDONLY);

	close(fd);
	fcntl(watch, F_SETFL, O_NONBLOCK);
	if (read(watch, space, sizeof(space)) >= (ssize_t)sizeof(event))
		memcpy(&event, space, sizeof(event));
	fprintf(out, "watch: %s\n", event.mask & IN_OPEN ? "an event" : "no event");
}

static void say_root(FILE *out, const char *mountpoint)
{
	char line[1000], root[300], at[300];
	FILE *mounts = fopen("/proc/self/mountinfo", "r");

	while (mounts && fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%*d %*d %*s %299s %299s", root, at) == 2 && strcmp(at, mountpoint) == 0)
			fprintf(out, "mount %s: %s\n", at, root);
	if (mounts)
		fclose(mounts);
}

static void say(FILE *out)
{
	static const char *mountpoints[] = { "/bound", "/deep", "/one", "/alike", "/alike2", "/memory", "/under" };
	struct stat one, other;
	char cwd[300];
	size_t i;

	say_path(out, "in data", in_data);
	say_content(out, "in data", in_data);
	say_path(out, "by bound", by_bound);
	say_content(out, "by bound", by_bound);
	say_path(out, "by deep", by_deep);
	say_content(out, "by deep", by_deep);
	say_path(out, "by file", by_file);
	say_content(out, "by file", by_file);
	say_path(out, "in tmp", in_tmp);
	say_content(out, "in tmp", in_tmp);
	say_path(out, "by alike", by_alike);
	say_content(out, "by alike", by_alike);
	say_path(out, "by alike too", by_alike_too);
	say_content(out, "by alike too", by_alike_too);
	say_path(out, "in mem", in_mem);
	say_content(out, "in mem", in_mem);
	say_path(out, "by memory", by_memory);
	say_content(out, "by memory", by_memory);
	say_path(out, "single", single);
	say_content(out, "single", single);
	say_path(out, "in sub", in_sub);
	say_content(out, "in sub", in_sub);
	say_path(out, "beside", beside);
	say_path(out, "deleted", gone);
	say_content(out, "deleted", gone);
	say_path(out, "deleted in mem", memory_gone);
	say_content(out, "deleted in mem", memory_gone);
	fprintf(out, "mapped: %.7s\n", mapped);
	fprintf(out, "directory: %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : strerror(errno));
	say_socket(out, "socket", listener);
	say_socket(out, "relative socket", relative);
	check(fstat(in_mem, &one) == 0 && (stat("/mem/linked", &other) == 0 || stat("/ram/linked", &other) == 0), "stat");
	fprintf(out, "hard link: %s\n", one.st_ino == other.st_ino && one.st_nlink == 2 ? "the same file" : "another");
	if (access("/mem/watched/file", F_OK) == 0)
		say_watch(out, "/mem/watched/file");
	else
		say_watch(out, "/ram/watched/file");
	for (i = 0; i < sizeof(mountpoints) / sizeof(*mountpoints); i++)
		say_root(out, mountpoints[i]);
	say_root(out, "/data/sub");
	say_root(out, "/moved/sub");
}

int main(int argc, char **argv)
{
	static const char *directories[] = { "/bound", "/deep", "/alike", "/alike2", "/memory", "/mem",
					     "/under", "/data/inner", "/data/sub", "/data2" };
	static const char *inside[] = { "/tmp/data", "/tmp/data/inner", "/tmp/moved", "/mem/old", "/mem/old/deep",
					"/mem/watched", "/data/sub/deep" };
	size_t i;

	(void)argv;
	enter_container(argc, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS);
	survive_signals();
	expect_questions();
	for (i = 0; i < sizeof(directories) / sizeof(*directories); i++)
		check(mkdir(directories[i], 0755) == 0, directories[i]);
	check(mount("memory", "/tmp", "tmpfs", 0, "size=1m") == 0, "/tmp");
	check(mount("memory", "/mem", "tmpfs", 0, "size=1m") == 0, "/mem");
	check(mount("memory", "/data/sub", "tmpfs", 0, "size=1m") == 0, "/data/sub");
	for (i = 0; i < sizeof(inside) / sizeof(*inside); i++)
		check(mkdir(inside[i], 0755) == 0, inside[i]);
	in_data = made("/data/inner/file", "on the root");
	in_tmp = made("/tmp/data/inner/file", "on a tmpfs");
	by_alike_too = made("/tmp/moved/file", "on a tmpfs too");
	in_mem = made("/mem/old/deep/file", "in memory");
	single = made("/mem/single", "alone");
	in_sub = made("/data/sub/deep/file", "below");
	beside = made("/data2/file", "beside");
	close(make("/mem/watched/file", "watched"));
	close(make("/one", "hidden"));
	bind_mount("/data", "/bound");
	bind_mount("/data/inner", "/deep");
	bind_mount("/data/inner/file", "/one");
	bind_mount("/tmp/data", "/alike");
	bind_mount("/tmp/moved", "/alike2");
	bind_mount("/mem/old", "/memory");
	bind_mount("/data/sub/deep", "/under");
	by_bound = again("/bound/inner/file");
	by_deep = again("/deep/file");
	by_file = again("/one");
	by_alike = again("/alike/inner/file");
	close(by_alike_too);
	by_alike_too = again("/alike2/file");
	by_memory = again("/memory/deep/file");
	check(link("/mem/old/deep/file", "/mem/linked") == 0, "link");
	gone = make("/data/inner/gone", "still here");
	memory_gone = make("/mem/old/gone", "here as well");
	check(unlink("/data/inner/gone") == 0 && unlink("/mem/old/gone") == 0, "unlink");
	mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, in_data, 0);
	check(mapped != MAP_FAILED, "mmap");
	listener = bound_socket("/data/socket");
	check(chdir("/data/inner") == 0, "chdir");
	relative = bound_socket("relative");
	check((watch = inotify_init()) >= 0 && inotify_add_watch(watch, "/mem/watched", IN_OPEN) >= 0, "inotify");
	answer("", say);
}
