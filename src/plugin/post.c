/* SPDX-License-Identifier: Apache-2.0 */
/* post.c - what instances are told, and what they are
 *
 * A document is encoded into one buffer, becomes one allocation that all rings share, and leaves at the end of the pass
 * of the loop, together with what else that pass has brought.
 */
#include <errno.h>
#include <string.h>

#include "plugin/parts.h"

/* ---- lives ---- */

static struct instance *find_life(const struct plugins *p, plugin_ref ref)
{
	for (struct instance *in = p->instances; in && ref; in = in->next)
		if (in->ref == ref)
			return in;
	return NULL;
}

plugin_ref plugins_ref(const struct plugins *p, const char *name)
{
	const struct instance *in = p->instances;

	while (in && strcmp(in->name, name) != 0)
		in = in->next;
	return in ? in->ref : 0;
}

long plugins_room(const struct plugins *p, plugin_ref to)
{
	const struct instance *in = find_life(p, to);

	if (!in)
		return -ENOENT;
	if (in->ring.n >= RING_MOST / 2 || in->ring.bytes >= RING_BYTES_MOST / 2)
		return 0;
	return (long)(RING_MOST / 2 - in->ring.n);
}

bool plugins_allows(const struct plugins *p, plugin_ref from, const char *command)
{
	const struct instance *in = find_life(p, from);

	for (size_t i = 0; in && in->conf && i < in->conf->commands.n; i++)
		if (!strcmp(in->conf->commands.v[i], command))
			return true;
	return false;
}

const char *plugins_name(const struct plugins *p, plugin_ref ref)
{
	const struct instance *in = find_life(p, ref);

	return in ? in->name : NULL;
}

/* ---- posting ---- */

static uint8_t frame_kind_of(enum plugins_kind kind)
{
	return (uint8_t)(FRAME_RECORD + kind); /* the same order */
}

static bool takes(const struct instance *in, plugin_ref to, enum plugins_kind kind)
{
	if (to && in->ref != to)
		return false;
	return in->state != INSTANCE_REFUSED && in->state != INSTANCE_STOPPED && in->takes >> frame_kind_of(kind) & 1;
}

static bool anybody(const struct plugins *p, plugin_ref to, enum plugins_kind kind)
{
	for (const struct instance *in = p->instances; in; in = in->next)
		if (takes(in, to, kind))
			return true;
	return false;
}

bool plugins_want(const struct plugins *p, enum plugins_kind kind)
{
	return anybody(p, 0, kind);
}

static void on_dropped(void *arg, const struct post *post)
{
	struct instance *in = arg;
	const uint8_t kind = post_kind(post);

	++*in->dropped;
	if (kind == FRAME_SESSION || kind == FRAME_ALARM || kind == FRAME_GATEWAY)
		in->owed = true; /* what it holds of it is not what is any more */
}

/* w holds the frame. */
static void share(struct plugins *p, plugin_ref to, enum plugins_kind kind, const struct writer *w)
{
	struct post *post = w->failed ? NULL : post_new(w->start, writer_len(w));

	for (struct instance *in = p->instances; in; in = in->next) {
		if (!takes(in, to, kind))
			continue;
		if (post)
			ring_add(&in->ring, post, on_dropped, in);
		else
			++*in->dropped; /* too large, or no memory for it */
	}
	post_put(post);
	if (!p->dirty)
		plugins_kick(p); /* for what is posted from another hook of the same pass */
	p->dirty = true;
}

/* Encodes by call into w when there is anybody for it. */
#define POST(p, to, kind, call)                                                                \
	do {                                                                                   \
		struct writer w = writer_of((p)->scratch, (p)->scratch ? FRAME_DOWN_MOST : 0); \
		if (anybody(p, to, kind)) {                                                    \
			(void)(call);                                                          \
			share(p, to, kind, &w);                                                \
		}                                                                              \
	} while (0)

void plugins_post_record(struct plugins *p, const struct report *r)
{
	POST(p, 0, PLUGINS_RECORD, frame_write_record(&w, r));
}

void plugins_post_session(struct plugins *p, plugin_ref to, const struct niddgw_session *s)
{
	POST(p, to, PLUGINS_SESSION, frame_write_session(&w, s));
}

void plugins_post_down(struct plugins *p, const struct niddgw_down *d)
{
	POST(p, 0, PLUGINS_DOWN, frame_write_down(&w, d));
}

void plugins_post_alarm(struct plugins *p, plugin_ref to, const struct niddgw_alarm_event *a)
{
	POST(p, to, PLUGINS_ALARM, frame_write_alarm(&w, a));
}

void plugins_post_stats(struct plugins *p, const struct niddgw_stats *s)
{
	POST(p, 0, PLUGINS_STATS, frame_write_stats(&w, s));
}

void plugins_post_gateway(struct plugins *p, plugin_ref to, const struct niddgw_gateway *g)
{
	POST(p, to, PLUGINS_GATEWAY, frame_write_gateway(&w, g));
}

void plugins_post_answer(struct plugins *p, plugin_ref to, const struct niddgw_answer *a)
{
	struct instance *in = find_life(p, to);

	if (!in)
		return;
	if (a->final && in->commands)
		in->commands--;
	POST(p, to, PLUGINS_ANSWER, frame_write_answer(&w, a));
}

/* ---- showing ---- */

void plugins_each(const struct plugins *p, plugins_each_fn *fn, void *arg)
{
	static const char *const states[INSTANCE_STATE_COUNT] = { "down",     "starting", "running",
								  "stopping", "refused",  "stopped" };

	for (const struct instance *in = p->instances; in; in = in->next) {
		const struct plugin_status s = { .name = in->name,
						 .plugin = in->library,
						 .version = *in->version ? in->version : NULL,
						 .state = states[in->state],
						 .reason = *in->reason ? in->reason : NULL,
						 .inline_ = in->in_daemon,
						 .pid = in->pid,
						 .dropped = *in->dropped,
						 .restarts = *in->restarts,
						 .queued = in->ring.n };

		fn(arg, &s);
	}
}
