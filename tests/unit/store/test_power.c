/* SPDX-License-Identifier: Apache-2.0 */
/* test_power.c - power cuts: of each file only what was synced survives, and any part of the rest
 *
 * A random history is written through operations that remember how far each file was synced. At a random write or sync
 * the power goes: the files are copied as they would be found, with each piece of what was not synced kept or lost by
 * chance. Whatever was confirmed before must be there then, in order, and nothing that was done.
 */
#include "journal_scene.h"

#include "base/random.h"

enum { CUTS = 200, IDS = 4000, FILES = 512, PIECE = 48 };

struct power {
	struct {
		ino_t ino;
		off_t written, synced;
	} file[FILES];
	size_t files;
	unsigned left; /* writes and syncs until the power goes */
	bool out;
	const char *dir;
	char copy[64];
};

static size_t file_of(struct power *p, int fd)
{
	struct stat st;
	size_t i = 0;

	assert_int_equal(fstat(fd, &st), 0);
	while (i < p->files && p->file[i].ino != st.st_ino)
		i++;
	if (i == p->files) {
		assert_true(i < FILES);
		p->file[p->files++].ino = st.st_ino;
	}
	if (st.st_nlink && !st.st_size) /* a new file may get the number of one that is gone */
		p->file[i].written = p->file[i].synced = 0;
	return i;
}

static void copy_file(struct power *p, int fd, const char *to)
{
	static uint8_t octets[1 << 17];
	const size_t i = file_of(p, fd);
	const ssize_t n = pread(fd, octets, sizeof octets, 0);
	ssize_t len = n;

	assert_true(n >= 0 && n < (ssize_t)sizeof octets);
	for (off_t at = p->file[i].synced; at < n; at += PIECE)
		if (random_below(2))
			memset(octets + at, 0, (size_t)(n - at < PIECE ? n - at : PIECE));
	if (random_below(2) && n > p->file[i].synced)
		len = p->file[i].synced + random_below((uint32_t)(n - p->file[i].synced));
	write_file(to, octets, (size_t)len);
}

static void power_cut(struct power *p)
{
	char from[256], to[256];
	DIR *d;

	p->out = true;
	snprintf(p->copy, sizeof p->copy, "/tmp/journal-XXXXXX");
	assert_non_null(mkdtemp(p->copy));
	snprintf(to, sizeof to, "%s/journal", p->copy);
	assert_int_equal(mkdir(to, 0700), 0);
	snprintf(from, sizeof from, "%s/journal", p->dir);
	d = opendir(from);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		int fd;

		if (*e->d_name == '.')
			continue;
		snprintf(from, sizeof from, "%s/journal/%.40s", p->dir, e->d_name);
		snprintf(to, sizeof to, "%s/journal/%.40s", p->copy, e->d_name);
		fd = open(from, O_RDONLY);
		assert_true(fd >= 0);
		copy_file(p, fd, to);
		close(fd);
	}
	closedir(d);
}

static ssize_t power_write(void *arg, int fd, const void *data, size_t len, off_t at)
{
	struct power *p = arg;
	const size_t i = file_of(p, fd);
	const size_t part = !p->out && !--p->left ? random_below((uint32_t)len + 1) : len;
	ssize_t n;

	if (!p->out) {
		n = pwrite(fd, data, part, at);
		assert_int_equal(n, part);
		p->file[i].written = at + n;
		if (!p->left)
			power_cut(p);
	}
	if (!p->out)
		return (ssize_t)len;
	errno = EIO;
	return -1;
}

static int power_sync(void *arg, int fd)
{
	struct power *p = arg;

	if (!p->out && !--p->left)
		power_cut(p);
	if (p->out) {
		errno = EIO;
		return -1;
	}
	p->file[file_of(p, fd)].synced = p->file[file_of(p, fd)].written;
	return 0;
}

/* ---- the history ---- */

struct life {
	unsigned sure, maybe; /* records confirmed; written in the group that the cut hit */
	bool done, maybe_done;
};

struct history {
	struct life of[IDS];
	uint64_t ids;
	uint64_t open[32]; /* some that are open */
	uint64_t now_ms;   /* a done entry counts for a while in this time */
};

static void write_one(struct js *s, struct history *h)
{
	const size_t slot = random_below(32);
	uint64_t id = h->open[slot];
	char text[16];

	if (id && !random_below(4)) {
		add_done(s, id, 0, 0);
		h->of[id].maybe_done = true;
		h->open[slot] = 0;
		return;
	}
	if (!id)
		id = h->open[slot] = ++h->ids;
	snprintf(text, sizeof text, "%u", h->of[id].sure + h->of[id].maybe++);
	add(s, id, text);
}

static void confirm(struct history *h)
{
	for (uint64_t id = 1; id <= h->ids; id++) {
		h->of[id].sure += h->of[id].maybe;
		h->of[id].maybe = 0;
		h->of[id].done = h->of[id].done || h->of[id].maybe_done;
	}
}

static void live(struct js *s, struct history *h, const struct power *p)
{
	while (!p->out && h->ids < IDS - 8) {
		for (unsigned n = 1 + random_below(6); n; n--)
			write_one(s, h);
		if (journal_commit(s->j, h->ids))
			return;
		confirm(h);
		for (unsigned n = random_below(3); n && journal_clean(s->j, store_boot_ms()); n--)
			;
	}
}

struct found_life {
	unsigned n[IDS];
	const struct history *h;
};

static void on_life(void *arg, const struct store_replayed *r)
{
	struct found_life *f = arg;
	char text[16];

	assert_true(r->id && r->id <= f->h->ids);
	assert_false(r->done); /* these are kept for no time at all */
	snprintf(text, sizeof text, "%u", f->n[r->id]++);
	assert_int_equal(r->len, strlen(text)); /* each once, and in order */
	assert_memory_equal(r->data, text, r->len);
}

static void look(const struct history *h, struct power *p)
{
	static struct found_life f;
	struct js s = { .ops = store_ops_system };

	memset(&f, 0, sizeof f);
	f.h = h;
	s.ops.sync = no_sync;
	memcpy(s.sc.dir, p->copy, sizeof s.sc.dir);
	s.dir_fd = open(s.sc.dir, O_RDONLY | O_DIRECTORY);
	js_open(&s);
	assert_int_equal(s.note.count, 0); /* nothing about it is damage */
	assert_int_equal(journal_replay(s.j, on_life, &f), 0);
	for (uint64_t id = 1; id <= h->ids; id++) {
		const struct life *l = &h->of[id];

		if (l->done)
			assert_int_equal(f.n[id], 0);
		else if (!l->maybe_done || f.n[id])
			assert_in_range(f.n[id], l->sure, l->sure + l->maybe);
	}
	assert_true(journal_id_after(s.j) >= h->ids || !h->ids || f.n[h->ids] == 0);
	/* and life goes on */
	put(&s, h->ids + 1, "0");
	js_again(&s);
	assert_int_equal(s.note.count, 0);
	js_end(&s);
}

static void r6_whatever_was_confirmed_survives_any_power_cut(void **state)
{
	static struct history h;

	(void)state;
	for (unsigned seed = 0; seed < CUTS; seed++) {
		struct js s = js_new();
		struct power p = { .dir = s.sc.dir };

		random_seed(seed);
		memset(&h, 0, sizeof h);
		p.left = 1 + random_below(seed % 4 ? 60 : 600);
		p.dir = s.sc.dir;
		s.ops = (struct store_ops){ power_write, power_sync, &p, 1024 + random_below(2048), 6000 };
		js_open(&s);
		live(&s, &h, &p);
		assert_true(p.out);
		js_end(&s);
		look(&h, &p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r6_whatever_was_confirmed_survives_any_power_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
