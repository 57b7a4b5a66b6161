/* SPDX-License-Identifier: Apache-2.0 */
/* journal_clean.c - giving back what does not count any more
 *
 * Only the oldest segment goes. So no last record is ever deleted while an older segment still has the records that it
 * ends, and no head while an older segment has records that it declares void. Open entries in the oldest are moved to
 * the end when at least two thirds of the journal are dead, so moving costs a bounded share of what is written.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/journal_inside.h"

enum { MOVE_MOST = 512 << 10 }; /* octets moved per step, so that units wait little */

/* ---- files set aside ---- */

static bool is_aside(const char *name)
{
	const char *suffix = strrchr(name, '.');

	return suffix && !strcmp(suffix, ".damaged");
}

/* The oldest of them goes when there are too many. */
static void thin_out(const struct journal *j)
{
	const int fd = openat(j->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	char first[SEGMENT_NAME + 1] = "";
	unsigned n = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(dir));) {
		if (!is_aside(e->d_name) || strlen(e->d_name) >= sizeof first)
			continue;
		n++;
		if (!*first || strcmp(e->d_name, first) < 0)
			snprintf(first, sizeof first, "%.*s", SEGMENT_NAME, e->d_name);
	}
	closedir(dir);
	if (n > STORE_DAMAGED_MOST)
		(void)unlinkat(j->dir_fd, first, 0);
}

void segment_set_aside(struct journal *j, const char *name, bool is_only_name)
{
	char aside[SEGMENT_NAME];

	if ((size_t)snprintf(aside, sizeof aside, "%s.damaged", name) >= sizeof aside)
		return;
	if (is_only_name)
		(void)renameat(j->dir_fd, name, j->dir_fd, aside);
	else
		(void)linkat(j->dir_fd, name, j->dir_fd, aside, 0); /* a second start finds it: that is fine */
	thin_out(j);
}

/* ---- deleting ---- */

static void unlink_oldest(struct journal *j)
{
	struct segment *seg = j->oldest;
	char name[SEGMENT_NAME];

	segment_name(name, seg->number, "");
	store_failpoint("journal.reclaim");
	if (unlinkat(j->dir_fd, name, 0) && errno != ENOENT) {
		seg->keep_until_ms = store_boot_ms() + STORE_RETRY_MS;
		return;
	}
	j->oldest = seg->next;
	j->segments--;
	j->bytes -= seg->size;
	free(seg);
}

static bool is_deletable(const struct journal *j, uint64_t now_ms)
{
	const struct segment *seg = j->oldest;

	return seg != j->newest && !seg->open && !seg->moved_to && seg->keep_until_ms <= now_ms;
}

/* ---- moving ---- */

static bool is_worth_moving(const struct journal *j, uint64_t now_ms)
{
	const size_t most = j->ops->clean_size ? j->ops->clean_size : 4 * journal_segment_size(j);

	if (!j->oldest || j->oldest == j->newest || j->oldest->keep_until_ms > now_ms)
		return false;
	return j->oldest->moved_to ||
		(j->oldest->open && (j->segments > SEGMENTS_MANY || (j->bytes > most && j->bytes > 3 * j->live)));
}

/* Entries that have records in seg only in what could not be read are over: there is nothing to move. */
static void unpin_all(struct journal *j, struct segment *seg)
{
	size_t i = 0;

	for (struct map_node *n = map_next(&j->entries, &i, NULL); n; n = map_next(&j->entries, &i, n))
		entry_unpin((struct entry *)(void *)n, seg);
}

static void give_up(struct journal *j, struct segment *seg, const char *why)
{
	char name[SEGMENT_NAME];

	segment_name(name, seg->number, "");
	segment_set_aside(j, name, false);
	store_note(&j->note, "%s cannot be read any more: %s", name, why);
	unpin_all(j, seg);
	seg->moved_to = 0;
}

/* Gathers what is open from at on; where it stopped, or a negative errno. */
static long gather(struct journal *j, struct segment *seg, const uint8_t *data, size_t len)
{
	size_t at = 0;
	struct record r;

	while (at < len && j->len < MOVE_MOST) {
		const long n = record_read(&r, seg->salt, data + at, len - at);

		if (n <= 0)
			break; /* perhaps only cut by the end of what was read */
		if (r.type == RECORD_APPEND && entry_find(j, r.id) && journal_add(j, &r))
			return -ENOMEM;
		at += (size_t)n;
	}
	return (long)at;
}

/* What was gathered is at the end now: its entries need this segment no more. */
static void unpin_moved(struct journal *j, struct segment *from, const uint8_t *data, size_t len)
{
	struct record r;

	for (size_t at = 0; at < len;) {
		const long n = record_peek(&r, data + at, len - at);
		struct entry *e;

		if (n <= 0)
			break;
		e = r.type == RECORD_APPEND ? entry_find(j, r.id) : NULL;
		if (e)
			entry_unpin(e, from);
		at += (size_t)n;
	}
}

static int read_part(const struct journal *j, const struct segment *seg, uint8_t *buf, size_t size)
{
	char name[SEGMENT_NAME];
	ssize_t n;
	int fd;

	segment_name(name, seg->number, "");
	fd = openat(j->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	n = segment_read(fd, buf, size, (off_t)seg->moved_to);
	close(fd);
	return (int)n;
}

/* One step of moving. False: nothing more can be done now. */
static bool move_part(struct journal *j, struct segment *seg, uint8_t *buf)
{
	const size_t left = seg->size - seg->moved_to;
	const size_t size = left < MOVE_MOST + RECORD_MOST ? left : MOVE_MOST + RECORD_MOST;
	const int n = read_part(j, seg, buf, size);
	long part;

	if (n == -EMFILE || n == -ENFILE || n == -ENOMEM)
		return false;
	if (n < 0 || (size_t)n < size) {
		give_up(j, seg, n < 0 ? strerror(-n) : "it is shorter than it was");
		return true;
	}
	part = gather(j, seg, buf, size);
	if (!part) {
		give_up(j, seg, "a checksum is wrong");
		return true;
	}
	store_failpoint("journal.move");
	if (part < 0 || (journal_gathered(j) && journal_commit(j, 0)))
		return false;
	store_failpoint("journal.moved");
	unpin_moved(j, seg, buf, (size_t)part);
	seg->moved_to += (size_t)part;
	if (seg->moved_to == seg->size)
		seg->moved_to = 0;
	return true;
}

static bool move(struct journal *j)
{
	struct segment *seg = j->oldest;
	uint8_t *buf = malloc(MOVE_MOST + RECORD_MOST);
	bool went;

	if (!buf)
		return false;
	if (!seg->moved_to)
		seg->moved_to = SEGMENT_HEAD;
	went = move_part(j, seg, buf);
	free(buf);
	return went;
}

bool journal_clean(struct journal *j, uint64_t now_ms)
{
	if (!j->oldest)
		return false;
	if (is_deletable(j, now_ms)) {
		unlink_oldest(j);
		return true;
	}
	return is_worth_moving(j, now_ms) && move(j);
}

uint64_t journal_clean_due(const struct journal *j)
{
	const struct segment *seg = j->oldest;

	return seg && seg != j->newest && !seg->open ? seg->keep_until_ms : UINT64_MAX;
}
