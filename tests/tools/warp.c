/* SPDX-License-Identifier: Apache-2.0 */
/* warp.c - lets a test move the clocks of a running program (LD_PRELOAD)
 *
 * Two counts of milliseconds in a file that both sides have mapped are added to what the kernel says: one to the clocks
 * that only go forward, one to the wall clock. A timer set to an absolute time is set back by as much, so that it goes off
 * when the warped clock gets there. Whoever sleeps while the clock is moved notices when something wakes it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dlvsym */
#endif
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000

static const volatile int64_t none[2], *warp = none; /* forward, wall */

__attribute__((constructor)) static void open_warp(void)
{
	const char *path = getenv("NIDDGW_WARP");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd >= 0 ? mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (at != MAP_FAILED)
		warp = at;
	if (fd >= 0)
		close(fd);
}

static void add_ms(struct timespec *t, int64_t ms)
{
	int64_t ns = t->tv_nsec + ms % 1000 * 1000000;

	t->tv_sec += ms / 1000 + (ns < 0 ? -1 : ns / NS_PER_S);
	t->tv_nsec = ns < 0 ? ns + NS_PER_S : ns % NS_PER_S;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	int err = (int)syscall(SYS_clock_gettime, id, t);

	if (err)
		return err;
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		add_ms(t, warp[1]);
	else if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_RAW || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME)
		add_ms(t, warp[0]);
	return 0;
}

int gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec t;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	tv->tv_sec = t.tv_sec;
	tv->tv_usec = t.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *out)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (out)
		*out = t.tv_sec;
	return t.tv_sec;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new_value, struct itimerspec *old_value)
{
	struct itimerspec to = *new_value;

	if (flags & TFD_TIMER_ABSTIME && (to.it_value.tv_sec || to.it_value.tv_nsec)) {
		add_ms(&to.it_value, -warp[0]);
		if (to.it_value.tv_sec < 0 || (!to.it_value.tv_sec && !to.it_value.tv_nsec))
			to.it_value = (struct timespec){ 0, 1 }; /* long past; zero would disarm */
	}
	return (int)syscall(SYS_timerfd_settime, fd, flags, &to, old_value);
}

/* Of conditions that wait by the monotonic clock, which all of ours do: the kernel knows nothing of the warp. */
int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *until)
{
	static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
	struct timespec at = *until;

	if (!next)
		*(void **)&next = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
	add_ms(&at, -warp[0]);
	return next(cond, lock, &at);
}
