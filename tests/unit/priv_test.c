/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shaper/daemon/priv.h"

enum { SKIPPED = 77 };

static const struct priv_user nobody = { .uid = 65534, .gid = 65534 };

/* The value after `name` in /proc/self/status, hexadecimal. */
static unsigned long long own_status(const char *name)
{
	FILE *file = fopen("/proc/self/status", "r");
	unsigned long long value = ~0ull;
	char line[256];

	if (file == NULL)
		return value;
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtoull(line + strlen(name), NULL, 16);
	fclose(file);
	return value;
}

/* A child's check: its number is the exit status, so that a failure tells. */
#define EXPECT(condition)                          \
	do {                                       \
		if (!(condition))                  \
			_exit(__LINE__ % 250 + 1); \
	} while (0)

/* Run `child` in a process of its own; its wait status. */
static int run(void (*child)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		child();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_succeeds(void (*child)(void))
{
	int status = run(child);

	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		print_message("failed near line %d (mod 250)\n",
			      WEXITSTATUS(status) - 1);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void expect_only_net_admin(void)
{
	int size_bytes = 1 << 20;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	EXPECT(own_status("CapEff:") == 1ull << CAP_NET_ADMIN);
	EXPECT(own_status("CapPrm:") == 1ull << CAP_NET_ADMIN);
	EXPECT(own_status("CapInh:") == 0);
	EXPECT(own_status("CapAmb:") == 0);
	EXPECT(own_status("NoNewPrivs:") == 1);
	EXPECT(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size_bytes,
			  sizeof(size_bytes)) == 0);
	close(fd);
}

static void root_drops_to_a_user(void)
{
	EXPECT(priv_drop(&nobody) == 0);
	expect_only_net_admin();
	EXPECT(own_status("CapBnd:") == 1ull << CAP_NET_ADMIN);
	EXPECT(getuid() == nobody.uid && geteuid() == nobody.uid);
	EXPECT(getgid() == nobody.gid && getgroups(0, NULL) == 0);
	EXPECT(setresuid(0, 0, 0) < 0 && errno == EPERM);
	EXPECT(open("/etc/shadow", O_RDONLY) < 0 && errno == EACCES);
}

static void root_without_a_user_keeps_its_id(void)
{
	EXPECT(priv_drop(NULL) == 0);
	expect_only_net_admin();
	EXPECT(geteuid() == 0);
	EXPECT(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM);
}

static void without_net_admin(void)
{
	EXPECT(setresuid(nobody.uid, nobody.uid, nobody.uid) == 0);
	EXPECT(priv_drop(NULL) == -EPERM);
}

/* As a service manager does with User= and AmbientCapabilities=: the set is
 * raised as another user, and what is executed then has it. */
static void with_ambient_capability(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct sets[2] = { { 0 } };

	EXPECT(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
	EXPECT(setresgid(nobody.gid, nobody.gid, nobody.gid) == 0);
	EXPECT(setresuid(nobody.uid, nobody.uid, nobody.uid) == 0);
	sets[0].permitted = sets[0].effective = sets[0].inheritable =
		1u << CAP_NET_ADMIN;
	EXPECT(syscall(SYS_capset, &header, sets) == 0);
	EXPECT(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0,
		     0) == 0);
	execl("/proc/self/exe", "priv_test", "--ambient", (char *)NULL);
	_exit(249);
}

static int main_with_ambient_capability(void)
{
	EXPECT(geteuid() == nobody.uid);
	EXPECT(own_status("CapAmb:") == 1ull << CAP_NET_ADMIN);
	EXPECT(priv_drop(&nobody) == 0); /* not root: the user is ours */
	expect_only_net_admin();
	EXPECT(priv_confine() == 0);
	EXPECT(getuid() == nobody.uid);
	return 0;
}

static void *answer(void *self)
{
	*(int *)self = 42;
	return NULL;
}

static void confined_life(void)
{
	pthread_t thread;
	int heard = 0;
	int fds[2];
	void *memory;

	EXPECT(pipe(fds) == 0);
	EXPECT(priv_drop(&nobody) == 0 && priv_confine() == 0);
	EXPECT(own_status("Seccomp:") == 2);
	EXPECT(prctl(PR_SET_NAME, "engine") == 0);
	EXPECT(prctl(PR_SET_TIMERSLACK, 1) == 0);
	EXPECT(write(fds[1], "x", 1) == 1);
	EXPECT(pthread_create(&thread, NULL, answer, &heard) == 0);
	EXPECT(pthread_join(thread, NULL) == 0 && heard == 42);
	memory = malloc(8 << 20);
	EXPECT(memory != NULL);
	free(memory);
	EXPECT(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 12) >= 0);
	EXPECT(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
}

static void confined_refusals(void)
{
	EXPECT(priv_drop(&nobody) == 0 && priv_confine() == 0);
	EXPECT(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM);
	EXPECT(syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == EPERM);
	EXPECT(kill(getppid(), 0) < 0 && errno == EPERM);
	EXPECT(fork() < 0);
	EXPECT(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 && errno == EPERM);
	EXPECT(mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
	       errno == EPERM);
	EXPECT(chmod("/tmp/none", 0) < 0 && errno == EPERM);
}

static void confined_execve(void)
{
	static char *const none[] = { NULL };

	EXPECT(priv_drop(&nobody) == 0 && priv_confine() == 0);
	execve("/bin/true", none, none);
}

static void confined_mount(void)
{
	EXPECT(priv_drop(&nobody) == 0 && priv_confine() == 0);
	mount("none", "/mnt", "tmpfs", 0, NULL);
}

static void test_root_drops_to_a_user_and_keeps_net_admin(void **state)
{
	(void)state;
	assert_succeeds(root_drops_to_a_user);
}

static void test_root_without_a_user_keeps_only_net_admin(void **state)
{
	(void)state;
	assert_succeeds(root_without_a_user_keeps_its_id);
}

static void test_nothing_to_keep_is_an_error(void **state)
{
	(void)state;
	assert_succeeds(without_net_admin);
}

static void test_a_service_managers_ambient_capability_is_kept(void **state)
{
	(void)state;
	assert_succeeds(with_ambient_capability);
}

static void test_confined_the_daemon_lives(void **state)
{
	(void)state;
	assert_succeeds(confined_life);
}

static void test_confined_what_is_not_listed_fails(void **state)
{
	(void)state;
	assert_succeeds(confined_refusals);
}

static void test_confined_an_intruders_calls_kill(void **state)
{
	int status = run(confined_execve);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	status = run(confined_mount);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void test_users_are_found_by_name(void **state)
{
	struct priv_user user;

	(void)state;
	assert_int_equal(priv_find("root", &user), 0);
	assert_int_equal(user.uid, 0);
	assert_int_equal(priv_find("no-such-user-here", &user), -ESRCH);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(name)
		T(test_root_drops_to_a_user_and_keeps_net_admin),
		T(test_root_without_a_user_keeps_only_net_admin),
		T(test_nothing_to_keep_is_an_error),
		T(test_a_service_managers_ambient_capability_is_kept),
		T(test_confined_the_daemon_lives),
		T(test_confined_what_is_not_listed_fails),
		T(test_confined_an_intruders_calls_kill),
		T(test_users_are_found_by_name),
#undef T
	};

	if (argc == 2 && strcmp(argv[1], "--ambient") == 0)
		return main_with_ambient_capability();
	if (geteuid() != 0) {
		fprintf(stderr, "needs root to have something to give up\n");
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
