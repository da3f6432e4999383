/* A container with a host name, and tasks and threads with command names. */
#include "container.h"
#include "asked.h"

static pid_t child;

static void *thread_rest(void *name)
{
	check(prctl(PR_SET_NAME, name, 0, 0, 0) == 0, "name");
	rest();
	return NULL;
}

static void say_name(FILE *out, const char *what, long pid, long thread)
{
	char path[80], name[20] = "";
	FILE *comm;

	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/comm", pid, thread);
	if ((comm = fopen(path, "r"))) {
		if (fscanf(comm, "%19s", name) != 1)
			*name = 0;
		fclose(comm);
	}
	fprintf(out, "%s: %s\n", what, name);
}

static void say(FILE *out)
{
	char name[70] = "";

	gethostname(name, sizeof(name));
	fprintf(out, "host: %s\n", name);
	check(getdomainname(name, sizeof(name)) == 0, "domain");
	fprintf(out, "domain: %s\n", name);
	say_name(out, "task", 1, 1);
	say_name(out, "thread", 1, 2);
	say_name(out, "other thread", 1, 3);
	say_name(out, "child", child, child);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	(void)argv;
	enter_container(argc, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS);
	survive_signals();
	expect_questions();
	check(sethostname("before", 6) == 0 && setdomainname("before.example", 14) == 0, "host name");
	check(pthread_create(&thread, NULL, thread_rest, "worker") == 0, "thread");
	usleep(20000);
	check(pthread_create(&thread, NULL, thread_rest, "worker-2") == 0, "thread");
	check(prctl(PR_SET_NAME, "manager", 0, 0, 0) == 0, "name");
	if ((child = fork()) == 0) {
		check(prctl(PR_SET_NAME, "worker", 0, 0, 0) == 0, "name");
		rest();
	}
	usleep(50000);
	answer("", say);
}
