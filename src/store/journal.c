/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c - segments, and writing to the newest
 *
 * A group of records is encoded into one buffer, written with one call and synced with one. Sequence and commit numbers
 * move on only when that went well: what failed is as if it had never been, because the next segment's head says from
 * which number on earlier segments do not count.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/journal_inside.h"

static ssize_t system_write(void *arg, int fd, const void *data, size_t len, off_t at)
{
	(void)arg;
	return pwrite(fd, data, len, at);
}

static int system_sync(void *arg, int fd)
{
	(void)arg;
	return fdatasync(fd);
}

const struct store_ops store_ops_system = { .write = system_write, .sync = system_sync };

void store_note(struct store_note *n, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(n->text, sizeof n->text, fmt, args);
	va_end(args);
	n->count++;
}

/* ---- gathering ---- */

static int reserve(struct journal *j, size_t more)
{
	size_t size = j->size ? j->size : WINDOW;
	uint8_t *buf;

	while (size - j->len < more)
		size *= 2;
	if (size == j->size)
		return 0;
	buf = realloc(j->buf, size);
	if (!buf)
		return -ENOMEM;
	j->buf = buf;
	j->size = size;
	return 0;
}

int journal_add(struct journal *j, struct record *r)
{
	const size_t size = record_size(r);
	const int err = reserve(j, size);

	if (err)
		return err;
	if (!r->seq)
		r->seq = j->next_seq + j->gathered++;
	record_write(j->buf + j->len, r);
	j->len += size;
	return 0;
}

size_t journal_gathered(const struct journal *j)
{
	return j->len;
}

void journal_drop(struct journal *j)
{
	j->len = 0;
	j->gathered = 0;
	if (j->size > SEGMENT_MOST / 4) { /* a single large group does not keep its memory */
		free(j->buf);
		j->buf = NULL;
		j->size = 0;
	}
}

/* ---- writing ---- */

static void seal(const struct journal *j)
{
	struct record r;

	for (size_t at = 0; at < j->len;) {
		const long n = record_peek(&r, j->buf + at, j->len - at);

		record_seal(j->buf + at, j->newest->salt, j->commit);
		at += (size_t)n;
	}
}

/* After a failed sync nobody knows what is on the disk and a second sync may lie: never again that file. A write that
 * failed leaves the file as good as before once it is cut back. */
static void abandon(struct journal *j, bool synced)
{
	const bool cut = !ftruncate(j->fd, (off_t)j->newest->size);

	if (synced || !cut) {
		close(j->fd);
		j->fd = -1;
	}
}

static int put_group(struct journal *j)
{
	int err = journal_ready(j);

	if (err)
		return err;
	seal(j);
	store_failpoint("journal.write");
	err = segment_write(j, j->fd, j->buf, j->len, j->newest->size);
	store_failpoint("journal.written");
	if (err) {
		abandon(j, false);
	} else if (j->ops->sync(j->ops->arg, j->fd)) {
		err = -errno;
		abandon(j, true);
	}
	return err;
}

static void account_group(struct journal *j)
{
	struct entry *e;
	struct record r;

	for (size_t at = 0; at < j->len;) {
		const long n = record_peek(&r, j->buf + at, j->len - at);

		if (r.seq >= j->next_seq)
			journal_account(j, j->newest, &r, (size_t)n);
		else if ((e = entry_find(j, r.id))) /* moved: it was counted when it came */
			entry_pin(e, j->newest);
		at += (size_t)n;
	}
}

int journal_commit(struct journal *j, uint64_t id_mark)
{
	int err;

	if (id_mark > j->id_after)
		j->id_after = id_mark;
	err = put_group(j);
	if (err == -EIO && j->fd < 0)
		err = put_group(j);
	store_failpoint("journal.synced");
	if (!err) {
		account_group(j);
		j->next_seq += j->gathered;
		j->commit++;
		j->newest->size += j->len;
		j->bytes += j->len;
	}
	journal_drop(j);
	return err;
}

void journal_close(struct journal *j)
{
	struct map_node *n, *next;
	struct segment *seg;
	size_t i = 0;

	if (!j)
		return;
	for (n = map_next(&j->entries, &i, NULL); n; n = next) {
		next = map_next(&j->entries, &i, n);
		entry_free((struct entry *)(void *)n);
	}
	map_fini(&j->entries);
	journal_close_newest(j);
	while ((seg = j->oldest)) {
		j->oldest = seg->next;
		free(seg);
	}
	if (j->dir_fd >= 0)
		close(j->dir_fd);
	journal_replayed(j);
	free(j->buf);
	free(j);
}

uint64_t journal_newest_wall(const struct journal *j)
{
	return j->newest_wall_ms;
}

bool journal_same_boot(const struct journal *j)
{
	return j->same_boot;
}

uint64_t journal_id_after(const struct journal *j)
{
	return j->id_after;
}

void journal_status(const struct journal *j, struct journal_status *st)
{
	*st = (struct journal_status){ j->bytes, j->segments, j->entries.count, j->torn };
}

struct store_note *journal_note(struct journal *j)
{
	return &j->note;
}
