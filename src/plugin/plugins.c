/* SPDX-License-Identifier: Apache-2.0 */
/* plugins.c - all instances: what they are told, and which there are
 *
 * A document is encoded into one buffer, becomes one allocation that all rings share, and leaves at the end of the pass
 * of the loop, together with what else that pass has brought.
 */
#include "plugin/plugins.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "plugin/parts.h"

enum { OWED_BELOW = RING_MOST / 4 /* waiting documents, when a replay can begin */ };

_Static_assert((int)PLUGINS_RING_DOCUMENTS == (int)RING_MOST && (int)PLUGINS_RING_BYTES == (int)RING_BYTES_MOST,
	       "one bound");

static const struct plugins_events no_events;

/* ---- the pass ---- */

static void flush(struct instance *in)
{
	if (!in->in_daemon)
		link_flush(in);
	else if (inside_flush(in))
		plugins_kick(in->all);
}

static void on_pass(void *arg)
{
	struct plugins *p = arg;

	if (!p->dirty)
		return;
	p->dirty = false;
	for (struct instance *in = p->instances, *next; in; in = next) {
		next = in->next;
		flush(in);
	}
}

static void free_left(struct plugins *p)
{
	for (struct instance **at = &p->leaving, *in; (in = *at);) {
		if (instance_is_alive(in)) {
			at = &in->next;
			continue;
		}
		*at = in->next;
		instance_free(in);
	}
}

static void replay_owed(struct plugins *p)
{
	for (struct instance *in = p->instances; in; in = in->next) {
		if (!in->owed || in->state != INSTANCE_RUNNING || in->ring.n >= OWED_BELOW)
			continue;
		in->owed = false;
		if (p->ev->replay)
			p->ev->replay(p->ev_arg, in->ref);
	}
}

static void on_kick(struct timer *t, uint64_t now_ms)
{
	struct plugins *p = container_of(t, struct plugins, kick);

	(void)now_ms;
	free_left(p);
	replay_owed(p);
	p->dirty = true; /* the pass ends with the hook */
}

void plugins_kick(struct plugins *p)
{
	timer_set(loop_timers(p->env.loop), &p->kick, clock_now_ms(), on_kick);
}

static void on_child(void *arg, int signo)
{
	struct plugins *p = arg;

	(void)signo;
	for (struct instance *in = p->instances, *next; in; in = next) {
		next = in->next;
		instance_reap(in);
	}
	for (struct instance *in = p->leaving; in; in = in->next)
		instance_reap(in);
}

/* ---- open and close ---- */

static void make_boot_id(char id[17])
{
	uint8_t octets[8];

	random_bytes(octets, sizeof octets);
	for (unsigned i = 0; i < 8; i++)
		snprintf(id + 2 * i, 3, "%02x", octets[i]);
}

int plugins_open(struct plugins **out, const struct plugins_env *env)
{
	struct plugins *p = calloc(1, sizeof *p);
	int err;

	if (!p)
		return -ENOMEM;
	p->env = *env;
	p->env.state_dir = p->state_dir = strdup(env->state_dir);
	p->ev = &no_events;
	make_boot_id(p->boot_id);
	err = p->state_dir ? loop_on_signal(env->loop, SIGCHLD, on_child, p) : -ENOMEM;
	if (err) {
		free(p->state_dir);
		free(p);
		return err;
	}
	p->hook = (struct loop_hook){ .fn = on_pass, .arg = p };
	loop_hook_add(env->loop, &p->hook);
	*out = p;
	return 0;
}

void plugins_set_events(struct plugins *p, const struct plugins_events *ev, void *arg)
{
	p->ev = ev ? ev : &no_events;
	p->ev_arg = arg;
}

const char *plugins_boot_id(const struct plugins *p)
{
	return p->boot_id;
}

static void free_list(struct instance *in)
{
	while (in) {
		struct instance *next = in->next;

		instance_free(in);
		in = next;
	}
}

void plugins_close(struct plugins *p)
{
	if (!p)
		return;
	p->ev = &no_events;
	p->stopping = true;
	free_list(p->instances);
	free_list(p->leaving);
	loop_hook_remove(p->env.loop, &p->hook);
	timer_cancel(loop_timers(p->env.loop), &p->kick);
	free(p->scratch);
	free(p->state_dir);
	free(p);
}

void plugins_stop(struct plugins *p)
{
	p->stopping = true;
	for (struct instance *in = p->instances; in; in = in->next)
		instance_stop(in);
}

size_t plugins_running(const struct plugins *p)
{
	size_t n = 0;

	for (const struct instance *in = p->instances; in; in = in->next)
		n += instance_is_alive(in);
	for (const struct instance *in = p->leaving; in; in = in->next)
		n += instance_is_alive(in);
	return n;
}

/* ---- configure ---- */

struct setup {
	struct writer w;
	uint32_t n;
};

static void add_setting(void *arg, const char *name, const char *const *texts, size_t n)
{
	struct setup *s = arg;

	(void)frame_write_setting(&s->w, name, texts, (uint32_t)n);
	s->n++;
}

/* The setup of an instance as a frame; NULL: no memory, or more than a frame takes. */
static struct post *make_setup(struct plugins *p, const struct plugin_conf *c)
{
	char dir[4096];
	struct frame_setup head = { plugin_name(c), p->env.gateway_id, p->boot_id, dir, 0, { 0 } };
	struct setup s = { writer_of(p->scratch, FRAME_DOWN_MOST), 0 };

	snprintf(dir, sizeof dir, "%s/plugins/%s", p->env.state_dir, plugin_name(c));
	(void)frame_write_setup(&s.w, &head);
	plugin_settings(c, add_setting, &s);
	head.n = s.n; /* as many octets in any case: once more at the same place */
	s.w.p = s.w.start;
	(void)frame_write_setup(&s.w, &head);
	plugin_settings(c, add_setting, &s);
	frame_end(&s.w, 0);
	return s.w.failed ? NULL : post_new(p->scratch, writer_len(&s.w));
}

static struct instance *find_name(const struct plugins *p, const char *name)
{
	for (struct instance *in = p->instances; in; in = in->next)
		if (!strcmp(in->name, name))
			return in;
	return NULL;
}

/* Takes in out of the list; it is freed when its process has ended. */
static void leave(struct plugins *p, struct instance **at)
{
	struct instance *in = *at;

	*at = in->next;
	in->next = p->leaving;
	p->leaving = in;
	instance_stop(in);
}

static bool is_same(const struct instance *in, const struct plugin_conf *c, const struct post *setup)
{
	return !strcmp(in->library, plugin_library(c)) && in->in_daemon == (c->isolation == PLUGIN_INLINE) &&
		in->setup->len == setup->len && !memcmp(in->setup->data, setup->data, setup->len);
}

/* Takes setup. The library of an instance never changes: another one is another instance. */
static void renew(struct instance *in, const struct plugin_conf *c, struct post *setup)
{
	const bool same = is_same(in, c, setup);

	in->conf = c;
	post_put(in->setup);
	in->setup = setup;
	in->in_daemon = c->isolation == PLUGIN_INLINE;
	if (same && in->state != INSTANCE_REFUSED)
		return;
	in->again = true;
	in->delay_ms = 0;
	instance_stop(in);
}

static int add(struct plugins *p, const struct plugin_conf *c, struct post *setup)
{
	struct instance *in = instance_new(p, plugin_name(c), plugin_library(c));
	struct instance **end = &p->instances;

	if (!in) {
		post_put(setup);
		return -ENOMEM;
	}
	in->conf = c;
	in->setup = setup;
	in->in_daemon = c->isolation == PLUGIN_INLINE;
	while (*end)
		end = &(*end)->next;
	*end = in;
	instance_start(in);
	return 0;
}

static int configure_one(struct plugins *p, const struct plugin_conf *c)
{
	struct instance *in = find_name(p, plugin_name(c));
	struct post *setup = make_setup(p, c);

	if (!setup)
		return -ENOMEM;
	if (!in)
		return add(p, c, setup);
	renew(in, c, setup);
	return 0;
}

static const struct plugin_conf *conf_of(const struct conf_list *list, const struct instance *in)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct plugin_conf *c = list->v[i];

		if (!strcmp(plugin_name(c), in->name) && !strcmp(plugin_library(c), in->library))
			return c;
	}
	return NULL;
}

int plugins_configure(struct plugins *p, const struct conf_list *list)
{
	int err = 0;

	if (list->n && !p->scratch)
		p->scratch = malloc(FRAME_DOWN_MOST);
	if (list->n && !p->scratch)
		return -ENOMEM;
	for (struct instance **at = &p->instances; *at;) {
		(*at)->conf = conf_of(list, *at);
		if ((*at)->conf)
			at = &(*at)->next;
		else
			leave(p, at);
	}
	for (size_t i = 0; i < list->n && !err; i++)
		err = configure_one(p, list->v[i]);
	plugins_kick(p);
	return err;
}

bool plugins_has(const struct plugins *p, const char *name)
{
	return find_name(p, name);
}

int plugins_restart(struct plugins *p, const char *name)
{
	struct instance *in = find_name(p, name);

	if (!in)
		return -ENOENT;
	in->again = true;
	in->delay_ms = 0;
	instance_stop(in);
	return 0;
}
