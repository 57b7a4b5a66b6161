/* SPDX-License-Identifier: Apache-2.0 */
/* journal_load.c - what a journal holds when the daemon starts
 *
 * Each file is read from its beginning up to the first octet that is not provably ours. What is missing is told from
 * what was only cut short: sequence numbers say whether a later segment misses something, commit numbers whether the
 * fault lies in what a sync had confirmed. Every file is read once and to a bounded length, so a start always ends.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/journal_inside.h"

enum { NUMBERS_MOST = 1 << 20, TAKEN_LITTLE = 64 << 10 };

struct numbers {
	uint64_t *v; /* owned */
	size_t n, size;
};

static int numbers_add(struct numbers *l, uint64_t number)
{
	if (l->n == l->size) {
		const size_t size = l->size ? l->size * 2 : 64;
		uint64_t *v = size <= NUMBERS_MOST ? realloc(l->v, size * sizeof *v) : NULL;

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->size = size;
	}
	l->v[l->n++] = number;
	return 0;
}

static bool is_segment(const char *name, uint64_t *number)
{
	char again[SEGMENT_NAME];
	char *end;

	if (*name < '0' || *name > '9')
		return false;
	errno = 0;
	*number = strtoull(name, &end, 10);
	if (errno || !*number || *number == UINT64_MAX)
		return false;
	segment_name(again, *number, "");
	return !strcmp(name, again);
}

static int by_number(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The numbers of all segments, ascending. What a cut-off start left half made is removed. */
static int list(const struct journal *j, struct numbers *l)
{
	const int fd = openat(j->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	int err = dir ? 0 : -errno;
	uint64_t number;

	for (struct dirent *e; !err && (e = readdir(dir));) {
		const char *suffix = strrchr(e->d_name, '.');

		if (is_segment(e->d_name, &number))
			err = numbers_add(l, number);
		else if (suffix && !strcmp(suffix, ".new"))
			unlinkat(j->dir_fd, e->d_name, 0);
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	if (l->n)
		qsort(l->v, l->n, sizeof *l->v, by_number);
	return err;
}

struct load {
	uint8_t *buf; /* owned; the file at hand */
	size_t size;
	uint64_t last_seq; /* the newest found so far */
	uint32_t last_commit;
};

static int make_room(struct load *l, off_t want)
{
	const size_t size = want < SEGMENT_MOST ? (size_t)want : SEGMENT_MOST;
	uint8_t *buf;

	if (size <= l->size)
		return 0;
	buf = realloc(l->buf, size);
	if (!buf)
		return -ENOMEM;
	l->buf = buf;
	l->size = size;
	return 0;
}

/* A process that was killed has taken room ahead of what it wrote: it is given back. Nothing depends on it. */
static void trim(const struct journal *j, const char *name, const struct stat *st)
{
	int fd;

	if (st->st_blocks * 512 <= st->st_size + TAKEN_LITTLE)
		return;
	fd = openat(j->dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	(void)!ftruncate(fd, st->st_size);
	close(fd);
}

/* A file as far as SEGMENT_MOST. How many octets, or a negative errno; -EBADMSG: it is no file, or cannot be read. */
static ssize_t slurp(const struct journal *j, struct load *l, const char *name)
{
	const int fd = openat(j->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	ssize_t n = -EBADMSG;

	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		n = make_room(l, st.st_size);
	if (!n) {
		n = segment_read(fd, l->buf, l->size, 0);
		n = n < 0 ? -EBADMSG : n;
		trim(j, name, &st);
	}
	close(fd);
	return n;
}

static int remember(struct journal *j, const struct record *r, size_t index, size_t at)
{
	if (j->found_n == j->found_size) {
		const size_t size = j->found_size ? j->found_size * 2 : 1024;
		struct found *f = realloc(j->found, size * sizeof *f);

		if (!f)
			return -ENOMEM;
		j->found = f;
		j->found_size = size;
	}
	j->found[j->found_n++] = (struct found){
		.seq = r->seq,
		.id = r->id,
		.at = (uint32_t)at,
		.seg = (uint32_t)index & 0x3fffffff,
		.done = r->type == RECORD_DONE,
		.counts = r->type != RECORD_NOP,
	};
	return 0;
}

static bool all_zeros(const uint8_t *p, size_t n)
{
	return !n || (!*p && !memcmp(p, p + 1, n - 1));
}

/* The records of one segment, up to the first fault. */
static int load_records(struct journal *j, struct load *l, struct segment *seg, size_t index, size_t len)
{
	size_t at = SEGMENT_HEAD;
	uint32_t commit = l->last_commit;
	struct record r;
	int err = 0;
	long n;

	while (!err && (n = record_read(&r, seg->salt, l->buf + at, len - at)) > 0) {
		err = remember(j, &r, index, at);
		if (r.seq > l->last_seq)
			l->last_seq = r.seq;
		if (r.id >= j->id_after)
			j->id_after = r.id + 1;
		if (r.wall_ms > j->newest_wall_ms)
			j->newest_wall_ms = r.wall_ms;
		commit = r.commit;
		at += (size_t)n;
	}
	seg->size = at;
	l->last_commit = commit;
	return err;
}

static struct segment *segment_new(const struct segment_head *h)
{
	struct segment *seg = calloc(1, sizeof *seg);

	if (!seg)
		return NULL;
	seg->number = h->number;
	seg->first_seq = h->first_seq;
	seg->salt = h->salt;
	memcpy(seg->boot_id, h->boot_id, sizeof seg->boot_id);
	return seg;
}

/* A sequence number is missing before this segment although its predecessor is there. */
static void check_gap(struct journal *j, const struct load *l, const struct segment_head *h)
{
	char name[SEGMENT_NAME];

	if (!j->newest || j->newest->number + 1 != h->number || h->first_seq <= l->last_seq + 1)
		return;
	segment_name(name, j->newest->number, "");
	segment_set_aside(j, name, false);
	store_note(&j->note, "%s lacks the last %" PRIu64 " of its records", name, h->first_seq - l->last_seq - 1);
}

static int load_segment(struct journal *j, struct load *l, uint64_t number, size_t index)
{
	struct segment_head h;
	struct segment *seg;
	char name[SEGMENT_NAME];
	ssize_t len;
	int err;

	segment_name(name, number, "");
	len = slurp(j, l, name);
	if (len < 0 && len != -EBADMSG)
		return (int)len;
	err = len <= 0 ? -EBADMSG : segment_head_read(&h, l->buf, (size_t)len);
	if (!err && h.number != number)
		err = -EBADMSG;
	if (err == -EPROTONOSUPPORT)
		store_note(&j->note, "%s was written by a newer version", name);
	if (err == -EBADMSG) {
		segment_set_aside(j, name, true);
		store_note(&j->note, "%s is no segment: its beginning is damaged", name);
		return 0;
	}
	if (err)
		return err;
	seg = segment_new(&h);
	if (!seg)
		return -ENOMEM;
	check_gap(j, l, &h);
	l->last_seq = h.first_seq - 1; /* perhaps back: what went beyond was given up */
	if (h.id_mark > j->id_after)
		j->id_after = h.id_mark;
	if (h.wall_ms > j->newest_wall_ms)
		j->newest_wall_ms = h.wall_ms;
	journal_link(j, seg);
	j->by_index[index] = seg;
	err = load_records(j, l, seg, index, (size_t)len);
	j->bytes += seg->size;
	if (!err && record_seen_beyond(seg->salt, l->last_commit, l->buf + seg->size, (size_t)len - seg->size)) {
		segment_set_aside(j, name, false);
		store_note(&j->note, "%s is damaged at octet %zu", name, seg->size);
	} else if (!err && !all_zeros(l->buf + seg->size, (size_t)len - seg->size)) {
		j->torn += (size_t)len - seg->size;
	}
	return err;
}

static int by_seq(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return x->seg != y->seg ? (x->seg < y->seg ? -1 : 1) : (x->at > y->at) - (x->at < y->at);
}

/* Whatever a later segment wrote again or gave up does not count; of copies the latest does. */
static int sort_out(struct journal *j, size_t files)
{
	uint64_t *bound = calloc(files + 1, sizeof *bound); /* of each file: the least first_seq behind it */
	bool sorted = true;

	if (!bound)
		return -ENOMEM;
	bound[files] = UINT64_MAX;
	for (size_t i = files; i--;) {
		const uint64_t next = i + 1 < files && j->by_index[i + 1] ? j->by_index[i + 1]->first_seq : UINT64_MAX;

		bound[i] = next < bound[i + 1] ? next : bound[i + 1];
	}
	for (size_t i = 0; i < j->found_n; i++) {
		struct found *f = &j->found[i];

		if (f->seq >= bound[f->seg])
			f->counts = 0;
		if (i && f->seq <= f[-1].seq)
			sorted = false;
	}
	free(bound);
	if (!sorted)
		qsort(j->found, j->found_n, sizeof *j->found, by_seq);
	for (size_t i = 0; i + 1 < j->found_n; i++)
		if (j->found[i].seq == j->found[i + 1].seq && j->found[i + 1].counts)
			j->found[i].counts = 0;
	return 0;
}

/* What a process that was killed had written and not synced may be acted upon now, so it is synced first. */
static void sync_newest(struct journal *j)
{
	char name[SEGMENT_NAME];
	int fd;

	if (!j->newest)
		return;
	segment_name(name, j->newest->number, "");
	fd = openat(j->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || j->ops->sync(j->ops->arg, fd))
		store_note(&j->note, "%s cannot be synced: %s", name, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static int load_all(struct journal *j, const struct numbers *all)
{
	struct load l = { 0 };
	int err;

	j->by_index = calloc(all->n + 1, sizeof(struct segment *));
	err = j->by_index ? 0 : -ENOMEM;
	for (size_t i = 0; !err && i < all->n; i++)
		err = load_segment(j, &l, all->v[i], i);
	free(l.buf);
	if (!err)
		err = sort_out(j, all->n);
	if (err)
		return err;
	sync_newest(j);
	j->next_seq = l.last_seq + 1;
	j->commit = l.last_commit + 1;
	j->next_number = all->n ? all->v[all->n - 1] + 1 : 1;
	j->same_boot = j->newest && !memcmp(j->newest->boot_id, j->boot_id, sizeof j->boot_id);
	return 0;
}

int journal_open(struct journal **out, int state_fd, const struct store_ops *ops, struct store_note *note)
{
	struct journal *j = calloc(1, sizeof *j);
	struct numbers all = { 0 };
	int err = 0;

	if (!j)
		return -ENOMEM;
	j->ops = ops;
	j->state_fd = state_fd;
	j->fd = -1;
	j->id_after = 1;
	store_boot_id(j->boot_id);
	j->dir_fd = journal_open_dir(state_fd);
	if (j->dir_fd < 0)
		err = j->dir_fd;
	if (!err)
		err = list(j, &all);
	if (!err)
		err = load_all(j, &all);
	free(all.v);
	*note = j->note;
	if (err) {
		journal_close(j);
		return err;
	}
	*out = j;
	return 0;
}
