/* SPDX-License-Identifier: Apache-2.0 */
/* confine.c - limits, capabilities and the system call filter of a plug-in's process
 *
 * A plug-in has the user of the daemon, so what one process may do to another of the same user has to be taken away
 * call by call. What it needs for its own work (files, threads, memory, sockets it already has) stays. The list says
 * what is forbidden and not what is allowed: plug-ins bring libraries along that nobody here has seen.
 */
#include "host/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "niddgw/plugin.h"

enum { ADDRESS_SPACE = 256 << 20, DESCRIPTORS = 256, FILTER_MOST = 512, NICENESS = 5 };

/* ---- limits ---- */

/* AddressSanitizer reserves terabytes and looks after its own bounds. */
#if defined(__SANITIZE_ADDRESS__)
enum { LIMITS_MEMORY = 0 };
#else
enum { LIMITS_MEMORY = 1 };
#endif

static int limit(__rlimit_resource_t what, rlim_t most)
{
	struct rlimit r;

	if (getrlimit(what, &r))
		return -errno;
	if (r.rlim_max != RLIM_INFINITY && r.rlim_max < most)
		most = r.rlim_max;
	r.rlim_cur = r.rlim_max = most;
	return setrlimit(what, &r) ? -errno : 0;
}

static int set_limits(void)
{
	int err = limit(RLIMIT_CORE, 0);

	(void)setpriority(PRIO_PROCESS, 0, NICENESS); /* what is passed on goes before what is told of it */

	if (!err)
		err = limit(RLIMIT_NOFILE, DESCRIPTORS);
	if (!err && LIMITS_MEMORY)
		err = limit(RLIMIT_AS, ADDRESS_SPACE);
	return err;
}

/* A host of root must not be root for the kernel. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };

	for (unsigned long c = 0; c <= CAP_LAST_CAP; c++)
		(void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0); /* who may not has none to lose */
	return syscall(SYS_capset, &head, none) ? -errno : 0;
}

/* ---- the filter ---- */

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define ARCH AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#else
#error "name this machine's AUDIT_ARCH_ here"
#endif

/* Calls that only some machines have. */
#ifndef SYS_fork
#define SYS_fork (-1)
#define SYS_vfork (-1)
#endif

static const int forbidden[] = {
	/* other programs and processes */
	SYS_execve,
	SYS_execveat,
	SYS_fork,
	SYS_vfork,
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_process_madvise,
	SYS_tkill,
	SYS_rt_sigqueueinfo,
	SYS_rt_tgsigqueueinfo,
	SYS_pidfd_open,
	SYS_pidfd_getfd,
	SYS_pidfd_send_signal,
	SYS_kcmp,
	SYS_move_pages,
	SYS_migrate_pages,
	SYS_setpriority,
	SYS_ioprio_set,
	SYS_setsid,
	SYS_setpgid,
	SYS_sched_setaffinity,
	SYS_sched_setscheduler,
	SYS_sched_setparam,
	SYS_sched_setattr,
	/* ways around this filter, and parts of the kernel with nothing to give here */
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_userfaultfd,
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	SYS_unshare,
	SYS_setns,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_open_by_handle_at,
	SYS_name_to_handle_at,
	SYS_personality,
	SYS_quotactl,
	SYS_acct,
	SYS_reboot,
	SYS_swapon,
	SYS_swapoff,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_syslog,
	SYS_vhangup,
};

struct filter {
	struct sock_filter code[FILTER_MOST];
	unsigned short len;
};

static void add(struct filter *f, uint16_t op, uint32_t k, uint8_t yes, uint8_t no)
{
	f->code[f->len++] = (struct sock_filter){ op, yes, no, k };
}

static void load(struct filter *f, size_t offset)
{
	add(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* The lower half of an argument: what is looked at here are numbers of 32 bits, and the kernel takes no more of them.
 */
static void load_argument(struct filter *f, unsigned n)
{
	const size_t low = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;

	load(f, offsetof(struct seccomp_data, args) + 8 * n + low);
}

static void answer(struct filter *f, uint32_t how)
{
	add(f, BPF_RET | BPF_K, how, 0, 0);
}

static void deny(struct filter *f)
{
	answer(f, SECCOMP_RET_ERRNO | EPERM);
}

/* When the loaded word is k, skip the next n instructions; else go on. */
static void skip_if(struct filter *f, uint32_t k, uint8_t n)
{
	add(f, BPF_JMP | BPF_JEQ | BPF_K, k, n, 0);
}

static void skip_unless(struct filter *f, uint32_t k, uint8_t n)
{
	add(f, BPF_JMP | BPF_JEQ | BPF_K, k, 0, n);
}

static void begin(struct filter *f)
{
	load(f, offsetof(struct seccomp_data, arch));
	skip_if(f, ARCH, 1);
	answer(f, SECCOMP_RET_KILL_PROCESS); /* the numbers below would mean something else */
	load(f, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
	add(f, BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1); /* x32: other numbers for the same calls */
	deny(f);
#endif
}

static void deny_all(struct filter *f, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (calls[i] < 0)
			continue;
		skip_unless(f, (uint32_t)calls[i], 1);
		deny(f);
	}
}

/* nr is allowed when its argument is one of the given values. */
static void allow_only(struct filter *f, int nr, unsigned argument, const uint32_t *values, uint8_t n)
{
	skip_unless(f, (uint32_t)nr, (uint8_t)(n + 3));
	load_argument(f, argument);
	for (uint8_t i = 0; i < n; i++)
		skip_if(f, values[i], (uint8_t)(n - i));
	deny(f);
	answer(f, SECCOMP_RET_ALLOW);
}

/* Threads are, processes are not; clone3 keeps its flags in memory where no filter sees them, and libc does without. */
static void restrict_clone(struct filter *f)
{
	skip_unless(f, SYS_clone3, 1);
	answer(f, SECCOMP_RET_ERRNO | ENOSYS);
	skip_unless(f, SYS_clone, 4);
	load_argument(f, 0);
	add(f, BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0);
	deny(f);
	answer(f, SECCOMP_RET_ALLOW);
}

/* Only what it does to itself, and never what ties it to the daemon. */
static void restrict_process(struct filter *f)
{
	const uint32_t self[] = { (uint32_t)getpid(), 0 };

	allow_only(f, SYS_kill, 0, self, 1);
	allow_only(f, SYS_tgkill, 0, self, 1);
	allow_only(f, SYS_prlimit64, 0, self, 2);
	skip_unless(f, SYS_prctl, 4);
	load_argument(f, 0);
	skip_unless(f, PR_SET_PDEATHSIG, 1);
	deny(f);
	answer(f, SECCOMP_RET_ALLOW);
}

/* Unix sockets are never needed, and the control socket of the daemon is one. */
static void restrict_sockets(struct filter *f, uint32_t needs)
{
	static const int socket_call[] = { SYS_socket };
	static const uint32_t families[] = { AF_INET, AF_INET6, AF_NETLINK };

	if (needs & NIDDGW_NEEDS_NETWORK)
		allow_only(f, SYS_socket, 0, families, 3);
	else
		deny_all(f, socket_call, 1);
}

static int install_filter(uint32_t needs)
{
	struct filter f = { .len = 0 };
	struct sock_fprog program = { .filter = f.code };

	begin(&f);
	deny_all(&f, forbidden, sizeof forbidden / sizeof *forbidden);
	restrict_clone(&f);
	restrict_process(&f);
	restrict_sockets(&f, needs);
	answer(&f, SECCOMP_RET_ALLOW);
	program.len = f.len;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

int confine(uint32_t needs)
{
	int err = set_limits();

	if (!err)
		err = drop_capabilities();
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	return err ? err : install_filter(needs);
}
