/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seccomp filters: the shortest lists that the daemon and its loader live
 * on. */
#include "shaper/daemon/priv.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int allowed[] = {
	/* packets, clients and files that are open */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(accept4),
	SCMP_SYS(accept),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	/* netlink again, when somebody flushed our rules */
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(connect),
	/* waiting */
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(eventfd2),
	SCMP_SYS(pipe2),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(futex),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	/* the policy at a reload, the state file, sysctls of a bridge */
	SCMP_SYS(openat),
	SCMP_SYS(open),
	SCMP_SYS(newfstatat),
	SCMP_SYS(stat),
	SCMP_SYS(statx),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(getdents64),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(umask),
	/* memory and threads */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(membarrier),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_setaffinity),
	SCMP_SYS(getcpu),
	SCMP_SYS(getrandom),
	/* signals, and the end */
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(tgkill),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* interface names by number */
	SCMP_SYS(ioctl),
};

/* Of the loader. */
static const int loader_allowed[] = {
	/* the daemon, netlink */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(bind),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(close),
	SCMP_SYS(fcntl),
	SCMP_SYS(time),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(restart_syscall),
	/* the pin, in its place and at the end */
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(unlinkat),
	/* memory, signals, and the end */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/* Attach what is loaded, and look whether it is still there. */
static const unsigned int loader_commands[] = { BPF_LINK_CREATE,
						BPF_OBJ_GET_INFO_BY_FD };
static const unsigned int loader_families[] = { AF_NETLINK };

/* No part of us or of any library under us makes these. */
static const int deadly[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(move_mount),
	SCMP_SYS(fsopen),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(acct),
	SCMP_SYS(quotactl),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(perf_event_open),
};

static const unsigned int families[] = { AF_UNIX, AF_NETLINK, AF_INET,
					 AF_INET6 };

/* A thread's name, and how exactly it wants to be woken. */
static const unsigned int prctls[] = { PR_SET_NAME, PR_SET_TIMERSLACK };

static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls,
		   size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		int error = seccomp_rule_add(filter, action, calls[i], 0);

		if (error < 0)
			return error;
	}
	return 0;
}

/* Allowed with one of these as the first argument. */
static int add_values(scmp_filter_ctx filter, int call,
		      const unsigned int *values, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		int error =
			seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
					 SCMP_A0(SCMP_CMP_EQ, values[i], 0));

		if (error < 0)
			return error;
	}
	return 0;
}

/* Memory is written or executed, and none becomes executable from now on. */
static int add_memory(scmp_filter_ctx filter)
{
	int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	if (error < 0)
		return error;
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* Threads, and no processes.  clone3 hides its flags behind a pointer; told
 * that it does not exist, the C library falls back on clone. */
static int add_threads(scmp_filter_ctx filter)
{
	int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD,
					     CLONE_THREAD));

	if (error < 0)
		return error;
	error = add_values(filter, SCMP_SYS(prctl), prctls, COUNT(prctls));
	if (error < 0)
		return error;
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
				SCMP_SYS(clone3), 0);
}

/* What both have in common. */
static int begin(const int *calls, size_t count, scmp_filter_ctx *ret_filter)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int error;

	if (filter == NULL)
		return -ENOMEM;
	*ret_filter = filter;
	error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (error == 0)
		error = add_all(filter, SCMP_ACT_ALLOW, calls, count);
	if (error == 0)
		error = add_all(filter, SCMP_ACT_KILL_PROCESS, deadly,
				COUNT(deadly));
	if (error == 0)
		error = add_memory(filter);
	return error;
}

static int finish(scmp_filter_ctx filter, int error)
{
	if (error == 0)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}

int priv_confine(void)
{
	scmp_filter_ctx filter = NULL;
	int error = begin(allowed, COUNT(allowed), &filter);

	if (error == 0)
		error = add_values(filter, SCMP_SYS(socket), families,
				   COUNT(families));
	if (error == 0)
		error = add_threads(filter);
	return finish(filter, error);
}

int priv_confine_loader(void)
{
	scmp_filter_ctx filter = NULL;
	int error = begin(loader_allowed, COUNT(loader_allowed), &filter);

	if (error == 0)
		error = add_values(filter, SCMP_SYS(socket), loader_families,
				   COUNT(loader_families));
	if (error == 0)
		error = add_values(filter, SCMP_SYS(bpf), loader_commands,
				   COUNT(loader_commands));
	return finish(filter, error);
}
