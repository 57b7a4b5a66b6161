/* SPDX-License-Identifier: Apache-2.0 */
/* test_crash.c - kill -9 at any moment and at each failpoint: what was confirmed is there afterwards, ids never come
 * twice
 *
 * A child writes and says through a pipe what was confirmed to it; when it is dead the parent opens the same directory
 * and holds it against that. One directory goes through all rounds, so damage would add up.
 */
#include "scene.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/random.h"
#include "store/owner.h"

enum { ROUNDS = 100, IMPORT = 300 };

/* What a child says: one octet and a number. */
enum { SAID_ID = 'i', SAID_WRITTEN = 'w', SAID_DONE = 'd', SAID_GENERATION = 'g' };
struct said {
	uint64_t value;
	uint32_t what, part;
};

/* ---- the child ---- */

struct child;
struct unit {
	struct store_wait wait;
	const struct child *of;
	uint64_t id;   /* 0: it is free */
	uint32_t part; /* records of the entry are numbered */
};

struct child {
	struct scene *sc;
	int pipe;
	uint64_t open[16];
	uint32_t parts[16];
	struct unit units[64];
	struct told import;
	uint64_t generation;
};

static void say(const struct child *c, uint32_t what, uint64_t value, uint32_t part)
{
	const struct said s = { value, what, part };

	if (write(c->pipe, &s, sizeof s) != sizeof s)
		_exit(3);
}

static void on_unit(struct store_wait *w, int err)
{
	struct unit *u = container_of(w, struct unit, wait);

	if (!err)
		say(u->of, SAID_WRITTEN, u->id, u->part);
	u->id = 0;
}

static void start_unit(struct child *c, struct unit *u)
{
	const size_t slot = random_below(16);
	char text[300];

	if (!c->open[slot]) {
		c->open[slot] = store_entry_id(c->sc->store);
		c->parts[slot] = 0;
		say(c, SAID_ID, c->open[slot], 0);
	}
	u->id = c->open[slot];
	u->part = c->parts[slot]++;
	memset(text, 'u', sizeof text);
	memcpy(text, &u->part, sizeof u->part);
	u->wait.fn = on_unit;
	u->of = c;
	store_append(c->sc->store, u->id, 1, text, 4 + random_below(sizeof text - 4), &u->wait);
	if (slot && !random_below(6)) {              /* the first stays open and has to be moved */
		say(c, SAID_DONE, c->open[slot], 0); /* from here on it may be gone */
		store_done(c->sc->store, c->open[slot], 2, "bye", 3, 0);
		c->open[slot] = 0;
	}
}

static void on_import(struct store_wait *w, int err)
{
	struct child *c = container_of(w, struct child, import.wait);

	if (!err)
		say(c, SAID_GENERATION, c->generation, 0);
	c->import.done = true;
}

static void start_import(struct child *c)
{
	static char keys[IMPORT][16];
	struct store_record v[IMPORT];

	c->generation++;
	for (unsigned i = 0; i < IMPORT; i++) {
		snprintf(keys[i], sizeof keys[i], "d%05u", i);
		v[i] = (struct store_record){ keys[i], &c->generation, strlen(keys[i]), sizeof c->generation };
	}
	c->import = (struct told){ .wait.fn = on_import, .sc = c->sc };
	store_put_all(c->sc->store, STORE_DEVICE, v, IMPORT, &c->import.wait);
}

struct work {
	struct timer timer;
	struct child *c;
};

static void on_work(struct timer *t, uint64_t now_ms)
{
	struct work *w = container_of(t, struct work, timer);

	for (size_t i = 0; i < 64; i++)
		if (!w->c->units[i].id)
			start_unit(w->c, &w->c->units[i]);
	if (!w->c->import.wait.fn || w->c->import.done)
		start_import(w->c);
	store_put(w->c->sc->store, STORE_SESSION, "m", 1, &now_ms, sizeof now_ms);
	timer_set(loop_timers(w->c->sc->loop), &w->timer, now_ms + 1, on_work);
}

static void child_main(struct scene *sc, int fd, const char *failpoint, uint64_t generation, unsigned seed)
{
	static struct child c;
	static struct work w;

	if (failpoint)
		setenv("NIDDGW_FAIL", failpoint, 1);
	else
		unsetenv("NIDDGW_FAIL");
	store_failpoint_look_up();
	store_failpoint("looked up"); /* it is now */
	random_seed(seed);
	scene_outside(sc);
	if (scene_try(sc))
		_exit(4);
	c = (struct child){ .sc = sc, .pipe = fd, .generation = generation };
	w.c = &c;
	timer_set(loop_timers(sc->loop), &w.timer, 1, on_work);
	loop_run(sc->loop);
	_exit(5);
}

/* ---- the parent ---- */

enum { ENTRIES = 1 << 16 };

struct entry_model {
	uint32_t written; /* confirmed records */
	uint32_t seen;
	bool may_be_gone;
};

struct parent {
	struct scene sc;
	struct store_ops ops;
	struct entry_model *of; /* owned, as ids; of this round */
	uint64_t *ids;
	size_t n;
	uint64_t generation, last_id;
};

/* Ids rise, so they can be searched by halves. */
static struct entry_model *model(struct parent *p, uint64_t id)
{
	size_t from = 0, to = p->n;

	while (to - from > 1) {
		const size_t mid = from + (to - from) / 2;

		*(p->ids[mid] <= id ? &from : &to) = mid;
	}
	assert_true(p->n && p->ids[from] == id); /* else it was never given out */
	return &p->of[from];
}

static void hear(struct parent *p, const struct said *s)
{
	struct entry_model *m;

	switch (s->what) {
	case SAID_ID:
		assert_true(s->value > p->last_id); /* over all rounds */
		p->last_id = s->value;
		assert_true(p->n < ENTRIES);
		p->ids[p->n] = s->value;
		p->of[p->n++] = (struct entry_model){ 0 };
		break;
	case SAID_WRITTEN:
		m = model(p, s->value);
		assert_int_equal(s->part, m->written); /* they are told in order */
		m->written++;
		break;
	case SAID_DONE:
		model(p, s->value)->may_be_gone = true;
		break;
	default:
		p->generation = s->value;
	}
}

static void on_found(void *arg, const struct store_replayed *r)
{
	struct parent *p = arg;
	struct entry_model *m = model(p, r->id);
	uint32_t part;

	assert_false(r->done);
	assert_true(r->len >= 4);
	memcpy(&part, r->data, sizeof part);
	assert_int_equal(part, m->seen); /* in order, each once */
	m->seen++;
}

struct generations {
	uint64_t value;
	size_t n;
};

static int on_generation(void *arg, const void *key, size_t key_len, const void *data, size_t len)
{
	struct generations *g = arg;
	uint64_t value;

	(void)key;
	(void)key_len;
	assert_int_equal(len, sizeof value);
	memcpy(&value, data, sizeof value);
	assert_true(!g->n || value == g->value); /* all of one import, or none */
	g->value = value;
	g->n++;
	return 0;
}

static void look(struct parent *p)
{
	struct generations g = { 0 };

	for (size_t i = 0; i < p->n; i++)
		p->of[i].seen = 0;
	scene_open(&p->sc);
	assert_int_equal(store_replay(p->sc.store, on_found, p), 0);
	for (size_t i = 0; i < p->n; i++)
		if (!p->of[i].may_be_gone || p->of[i].seen)
			assert_true(p->of[i].seen >= p->of[i].written);
	assert_int_equal(store_each(p->sc.store, STORE_DEVICE, on_generation, &g), 0);
	assert_true(g.n == 0 || g.n == IMPORT);
	assert_true(g.value >= p->generation);
	p->generation = g.value;
	/* What was left over is cleared away, so that the next round begins small. */
	for (size_t i = 0; i < p->n; i++)
		if (p->of[i].seen)
			store_done(p->sc.store, p->ids[i], 3, NULL, 0, 0);
	p->n = 0;
	assert_int_equal(flushed(&p->sc), 0);
	scene_shut(&p->sc);
}

/* One life of a child, which ends after so many words of it or at its failpoint. How it ended. */
static int one_life(struct parent *p, const char *failpoint, unsigned seed, unsigned words)
{
	int fds[2], status;
	struct said s;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	(void)fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(fds[0]);
		child_main(&p->sc, fds[1], failpoint, p->generation, seed);
	}
	close(fds[1]);
	while (read(fds[0], &s, sizeof s) == sizeof s) {
		hear(p, &s);
		if (words && !--words)
			kill(pid, SIGKILL); /* wherever it is in its work just now */
	}
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static struct parent parent_new(void)
{
	struct parent p = { .sc = scene_new(), .ops = store_ops_system };

	p.of = calloc(ENTRIES, sizeof *p.of);
	p.ids = calloc(ENTRIES, sizeof *p.ids);
	assert_true(p.of && p.ids);
	return p;
}

static void parent_end(struct parent *p)
{
	free(p->of);
	free(p->ids);
	scene_end(&p->sc);
}

static void r2_kill_at_random_moments(void **state)
{
	struct parent p = parent_new();
	size_t confirmed = 0;

	(void)state;
	p.ops.segment_size = 64 << 10;
	p.ops.clean_size = 200 << 10;
	p.sc.ops = &p.ops;
	for (unsigned i = 0; i < ROUNDS; i++) {
		const int status = one_life(&p, NULL, i, 1 + (i * 7919) % 997);

		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		for (size_t k = 0; k < p.n; k++)
			confirmed += p.of[k].written;
		look(&p);
	}
	assert_true(confirmed > ROUNDS);
	parent_end(&p);
}

static void r2_kill_at_each_step(void **state)
{
	static const char *const points[] = { "journal.roll",   "journal.rolled", "journal.write",   "journal.written",
					      "journal.synced", "journal.answer", "journal.reclaim", "journal.move",
					      "journal.moved",  "state.commit",   "state.committed" };
	struct parent p = parent_new();

	(void)state;
	p.ops.segment_size = 8 << 10;
	p.ops.clean_size = 20 << 10;
	p.sc.ops = &p.ops;
	for (size_t i = 0; i < sizeof points / sizeof *points; i++)
		for (unsigned nth = 1; nth < 10; nth += 4) {
			char failpoint[48];
			int status;

			snprintf(failpoint, sizeof failpoint, "%s:%u", points[i], nth);
			status = one_life(&p, failpoint, nth, 0);
			assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* it was reached */
			look(&p);
		}
	parent_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(r2_kill_at_random_moments),
		cmocka_unit_test(r2_kill_at_each_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
