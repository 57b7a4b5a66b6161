/* SPDX-License-Identifier: Apache-2.0 */
/* kernel.c - what the store asks the kernel: clocks, boot id, random octets; the ones in base/ belong to the loop */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/owner.h"

static uint64_t read_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t store_boot_ms(void)
{
	return read_ms(CLOCK_BOOTTIME);
}

uint64_t store_wall_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

void store_random(void *out, size_t len)
{
	while (getrandom(out, len, 0) != (ssize_t)len) /* whole up to 256 octets, but for a signal */
		if (errno != EINTR)
			abort();
}

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void store_boot_id(uint8_t id[16])
{
	const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char text[64] = "";
	size_t n = 0;

	memset(id, 0, 16);
	if (fd < 0)
		return;
	if (read(fd, text, sizeof text - 1) <= 0)
		text[0] = '\0';
	close(fd);
	for (const char *p = text; *p && n < 32; p++)
		if (nibble(*p) >= 0) {
			id[n / 2] = (uint8_t)(id[n / 2] << 4 | nibble(*p));
			n++;
		}
}

bool store_clock_rule(bool same_boot, bool synchronised, uint64_t now_wall_ms, uint64_t newest_wall_ms)
{
	return same_boot || synchronised || now_wall_ms >= newest_wall_ms;
}

static bool is_synchronised(void)
{
	struct timex t = { 0 };

	return adjtimex(&t) != -1 && !(t.status & STA_UNSYNC);
}

bool store_clock_is_trusted(const struct store *s)
{
	return store_clock_rule(s->same_boot, is_synchronised(), clock_wall_ms(), s->newest_wall_ms);
}
