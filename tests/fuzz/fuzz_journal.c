/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_journal.c - a segment as a start reads it: always an end, only whole records, and nothing of it is lost by
 * moving
 *
 * The first octet cuts the input into two segments (0: one), the rest are their octets. Checksums of heads and records
 * are made right when its highest bit is set, so that what stands behind them is reached.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/crc32c.h"
#include "store/journal.h"

static char dir[64];

static void demand(int holds)
{
	if (!holds)
		abort();
}

static void write_segment(int dir_fd, unsigned number, const uint8_t *data, size_t len)
{
	char name[40];
	int fd;

	snprintf(name, sizeof name, "journal/%08u.seg", number);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	demand(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	close(fd);
}

/* Sums of head and records as they should be, as far as lengths make sense. */
static void put_right(uint8_t *data, size_t len)
{
	struct segment_head h;
	struct record r;
	uint32_t crc;

	if (len < SEGMENT_HEAD)
		return;
	memcpy(data, "NIDDGWJ\n\0\0\0\1\0\0\0", 15);
	data[15] = SEGMENT_HEAD;
	crc = crc32c(crc32c(0, data, 16), data + 20, SEGMENT_HEAD - 20);
	for (int i = 0; i < 4; i++)
		data[16 + i] = (uint8_t)(crc >> (24 - 8 * i));
	if (segment_head_read(&h, data, len))
		return;
	for (size_t at = SEGMENT_HEAD; at < len;) {
		const long n = record_peek(&r, data + at, len - at);

		if (n <= 0)
			return;
		record_seal(data + at, h.salt, r.commit);
		at += (size_t)n;
	}
}

static int no_sync(void *arg, int fd)
{
	(void)arg;
	(void)fd;
	return 0;
}

static ssize_t plain_write(void *arg, int fd, const void *data, size_t len, off_t at)
{
	(void)arg;
	return pwrite(fd, data, len, at);
}

struct sum {
	uint64_t n, sum, last_id;
};

static void on_record(void *arg, const struct store_replayed *r)
{
	struct sum *s = arg;

	s->n++;
	s->sum = s->sum * 31 + r->id + r->kind + crc32c(0, r->data, r->len) + r->done;
	s->last_id = r->id > s->last_id ? r->id : s->last_id;
}

static struct journal *start(int dir_fd, const struct store_ops *ops, struct sum *sum)
{
	struct journal *j = NULL;
	struct store_note note = { 0 };

	*sum = (struct sum){ 0 };
	if (journal_open(&j, dir_fd, ops, &note))
		return NULL;
	demand(!journal_settle(j, false));
	demand(!journal_replay(j, on_record, sum));
	demand(sum->n == 0 || journal_id_after(j) > sum->last_id);
	journal_replayed(j);
	return j;
}

static void empty(int dir_fd)
{
	char name[48];

	for (unsigned i = 1; i < 12; i++) {
		snprintf(name, sizeof name, "journal/%08u.seg", i);
		unlinkat(dir_fd, name, 0);
		strcat(name, ".damaged");
		unlinkat(dir_fd, name, 0);
	}
}

static void clean_up(void)
{
	char path[80];

	snprintf(path, sizeof path, "%s/journal", dir);
	rmdir(path);
	rmdir(dir);
}

static int open_dir(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	snprintf(dir, sizeof dir, "/dev/shm/fuzz-journal-XXXXXX");
	if (!mkdtemp(dir)) {
		snprintf(dir, sizeof dir, "/tmp/fuzz-journal-XXXXXX");
		demand(mkdtemp(dir) != NULL);
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	demand(fd >= 0 && !mkdirat(fd, "journal", 0700));
	atexit(clean_up);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct store_ops ops = { plain_write, no_sync, NULL, 4096, 1 };
	const int dir_fd = open_dir();
	struct sum first, again;
	struct journal *j;
	uint8_t *copy;
	size_t cut;

	if (!size)
		return 0;
	copy = malloc(size);
	demand(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	cut = (data[0] & 127) && size > 1 ? (size_t)(data[0] & 127) * (size - 1) / 128 : size - 1;
	if (data[0] & 128) {
		put_right(copy, cut);
		put_right(copy + cut, size - 1 - cut);
	}
	write_segment(dir_fd, 1, copy, cut);
	if (cut < size - 1)
		write_segment(dir_fd, 2, copy + cut, size - 1 - cut);
	free(copy);
	j = start(dir_fd, &ops, &first);
	if (j) { /* begun once more it shows the same, whatever was put aside or moved in between */
		while (journal_clean(j, 0))
			;
		journal_close(j);
		j = start(dir_fd, &ops, &again);
		demand(j && first.n == again.n && first.sum == again.sum);
		journal_close(j);
	}
	empty(dir_fd);
	return 0;
}
