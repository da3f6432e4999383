/* Seccomp filters: a process with one, a child with two (the second refers to the first), a thread without, and strict
 * credentials: some capabilities dropped, another group, no new privileges. */
#include "program.h"
#include <linux/filter.h>
#include <linux/seccomp.h>

static void add_filter(int number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = code };

	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "seccomp");
}

static void *thread_rest(void *arg)
{
	(void)arg;
	rest();
	return NULL;
}

int main(void)
{
	pthread_t thread;

	survive_signals();
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
	sleeper();
	if (fork() == 0) {
		prctl(PR_CAPBSET_DROP, 22, 0, 0, 0);
		add_filter(SYS_reboot);
		add_filter(SYS_acct);
		check(pthread_create(&thread, NULL, thread_rest, NULL) == 0, "thread");
		rest();
	}
	add_filter(SYS_swapon);
	usleep(50000);
	ready();
}
