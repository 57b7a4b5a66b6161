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

void segment_name(char name[SEGMENT_NAME], uint64_t number, const char *suffix)
{
	snprintf(name, SEGMENT_NAME, "%08" PRIu64 ".seg%s", number, suffix);
}

int journal_open_dir(int state_fd)
{
	const bool made = !mkdirat(state_fd, "journal", 0700);
	int fd;

	if (!made && errno != EEXIST)
		return -errno;
	if (made && fsync(state_fd))
		return -errno;
	fd = openat(state_fd, "journal", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

ssize_t segment_read(int fd, void *to, size_t len, off_t at)
{
	size_t done = 0;

	while (done < len) {
		const ssize_t n = pread(fd, (uint8_t *)to + done, len - done, at + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && !done)
			return -errno;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* ---- entries ---- */

static bool entry_eq(const struct map_node *n, const void *key, size_t len)
{
	(void)len;
	return ((const struct entry *)(const void *)n)->id == *(const uint64_t *)key; /* node is the first member */
}

struct entry *entry_find(const struct journal *j, uint64_t id)
{
	return (struct entry *)(void *)map_find(&j->entries, map_hash(&id, sizeof id), entry_eq, &id, sizeof id);
}

static void stay_for_good(struct segment *seg)
{
	seg->keep_until_ms = UINT64_MAX; /* no memory to know better: a restart does */
}

void entry_pin(struct entry *e, struct segment *seg)
{
	struct pin *p;

	for (p = &e->pin; p; p = p->next)
		if (p->seg == seg)
			return;
	if (!e->pin.seg) {
		e->pin.seg = seg;
	} else {
		p = malloc(sizeof *p);
		if (!p) {
			stay_for_good(seg);
			return;
		}
		*p = (struct pin){ e->pin.next, seg };
		e->pin.next = p;
	}
	seg->open++;
}

void entry_unpin(struct entry *e, struct segment *seg)
{
	struct pin *prev = NULL, *p = &e->pin;

	while (p && p->seg != seg) {
		prev = p;
		p = p->next;
	}
	if (!p)
		return;
	seg->open--;
	if (prev) {
		prev->next = p->next;
		free(p);
	} else if ((p = e->pin.next)) {
		e->pin = *p;
		free(p);
	} else {
		e->pin.seg = NULL;
	}
}

static struct entry *entry_open(struct journal *j, uint64_t id)
{
	struct entry *e = calloc(1, sizeof *e);

	if (e && map_add(&j->entries, &e->node, map_hash(&id, sizeof id))) {
		free(e);
		e = NULL;
	}
	if (e)
		e->id = id;
	return e;
}

static void entry_free(struct entry *e)
{
	struct pin *p;

	while ((p = e->pin.next)) {
		e->pin.next = p->next;
		free(p);
	}
	free(e);
}

static void entry_done(struct journal *j, struct entry *e, uint64_t until_ms)
{
	for (const struct pin *p = &e->pin; p; p = p->next) {
		if (!p->seg)
			continue;
		p->seg->open--;
		if (p->seg->keep_until_ms < until_ms)
			p->seg->keep_until_ms = until_ms;
	}
	j->live -= e->bytes;
	map_remove(&j->entries, &e->node);
	entry_free(e);
}

void journal_account(struct journal *j, struct segment *seg, const struct record *r, size_t size)
{
	struct entry *e = r->type == RECORD_NOP ? NULL : entry_find(j, r->id);

	if (r->type == RECORD_DONE) {
		if (e)
			entry_done(j, e, r->until_ms);
		if (seg->keep_until_ms < r->until_ms)
			seg->keep_until_ms = r->until_ms;
	} else if (r->type == RECORD_APPEND) {
		if (!e)
			e = entry_open(j, r->id);
		if (!e) {
			stay_for_good(seg);
			return;
		}
		e->bytes += size;
		j->live += size;
		entry_pin(e, seg);
	}
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

/* ---- segments ---- */

void journal_link(struct journal *j, struct segment *seg)
{
	*(j->newest ? &j->newest->next : &j->oldest) = seg;
	j->newest = seg;
	j->segments++;
}

static int write_all(const struct journal *j, int fd, const uint8_t *data, size_t len, size_t at)
{
	size_t done = 0;

	while (done < len) {
		const ssize_t n = j->ops->write(j->ops->arg, fd, data + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* The file under its temporary name, complete with its head and synced. A descriptor or a negative errno. */
static int make_file(struct journal *j, const char *fresh, const struct segment_head *h)
{
	uint8_t head[SEGMENT_HEAD];
	int fd, err;

	(void)unlinkat(j->dir_fd, fresh, 0);
	fd = openat(j->dir_fd, fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	/* Room is taken now, so that a full disk shows here and not at some record; without it things work as well. */
	(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)journal_segment_size(j));
	segment_head_write(head, h);
	err = write_all(j, fd, head, sizeof head, 0);
	if (!err && j->ops->sync(j->ops->arg, fd))
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	(void)unlinkat(j->dir_fd, fresh, 0);
	return err;
}

static int name_file(struct journal *j, const char *fresh, uint64_t number)
{
	char name[SEGMENT_NAME];

	segment_name(name, number, "");
	if (renameat(j->dir_fd, fresh, j->dir_fd, name))
		return -errno;
	return fsync(j->dir_fd) ? -errno : 0;
}

/* Someone may have removed the directory: then a new one is made, once. */
static int make_file_somewhere(struct journal *j, const char *fresh, const struct segment_head *h)
{
	int fd = make_file(j, fresh, h), dir;

	if (fd != -ENOENT)
		return fd;
	dir = journal_open_dir(j->state_fd);
	if (dir < 0)
		return dir;
	close(j->dir_fd);
	j->dir_fd = dir;
	store_note(&j->note, "the directory was gone and was made again");
	return make_file(j, fresh, h);
}

static void close_newest(struct journal *j)
{
	if (j->fd < 0)
		return;
	(void)!ftruncate(j->fd, (off_t)j->newest->size); /* gives back what was taken ahead; nothing depends on it */
	close(j->fd);
	j->fd = -1;
}

static void head_of(const struct journal *j, struct segment_head *h)
{
	*h = (struct segment_head){
		.number = j->next_number,
		.first_seq = j->next_seq,
		.id_mark = j->id_after,
		.wall_ms = store_wall_ms(),
	};
	store_random(&h->salt, sizeof h->salt);
	memcpy(h->boot_id, j->boot_id, sizeof h->boot_id);
}

static int roll(struct journal *j)
{
	struct segment *seg = calloc(1, sizeof *seg);
	struct segment_head h;
	char fresh[SEGMENT_NAME];
	int fd, err;

	if (!seg)
		return -ENOMEM;
	close_newest(j);
	head_of(j, &h);
	segment_name(fresh, h.number, ".new");
	store_failpoint("journal.roll");
	fd = make_file_somewhere(j, fresh, &h);
	store_failpoint("journal.rolled");
	err = fd < 0 ? fd : name_file(j, fresh, h.number);
	if (err) {
		if (fd >= 0)
			close(fd);
		free(seg);
		return err;
	}
	*seg = (struct segment){ .number = h.number, .first_seq = h.first_seq, .salt = h.salt, .size = SEGMENT_HEAD };
	memcpy(seg->boot_id, h.boot_id, sizeof seg->boot_id);
	journal_link(j, seg);
	j->bytes += seg->size;
	j->next_number++;
	j->fd = fd;
	return 0;
}

/* A file that someone removed takes writes as before, and loses them. */
static bool is_there(const struct journal *j)
{
	struct stat st;

	return !fstat(j->fd, &st) && st.st_nlink;
}

static int ready(struct journal *j)
{
	if (j->fd >= 0 && j->newest->size < journal_segment_size(j) && is_there(j))
		return 0;
	return roll(j);
}

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
	int err = ready(j);

	if (err)
		return err;
	seal(j);
	store_failpoint("journal.write");
	err = write_all(j, j->fd, j->buf, j->len, j->newest->size);
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
	close_newest(j);
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
	*st = (struct journal_status){ j->bytes, j->segments, j->entries.count };
}

struct store_note *journal_note(struct journal *j)
{
	return &j->note;
}
