/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - frames of the daemon become calls of the plug-in */
#include <errno.h>
#include <stdio.h>

#include "host/parts.h"

static void send_empty(struct niddgw_host *h, uint8_t kind)
{
	struct writer w = writer_of(h->out, sizeof h->out);

	frame_write_empty(&w, kind);
	host_send(h, &w);
}

static void send_refused(struct niddgw_host *h, const char *why)
{
	struct writer w = writer_of(h->out, sizeof h->out);

	frame_write_text(&w, FRAME_REFUSED, why);
	host_send(h, &w);
}

static int take_setup(struct niddgw_host *h, struct frame *f)
{
	char why[HOST_WHY_SIZE] = "out of memory";
	int err = h->setup ? -EBADMSG : host_take_setup(h, f, why);

	if (err == -EBADMSG)
		return err;
	if (!err) {
		h->open = h->opening = true; /* open() may already count, log, watch and ask */
		err = h->plugin.open(h, &h->state);
		h->open = !err;
		h->opening = false;
		if (err)
			snprintf(why, sizeof why, "its open() failed: %s%s%s", strerror(err < 0 ? -err : err),
				 *h->said ? ": " : "", h->said);
	}
	if (err)
		send_refused(h, why);
	else
		send_empty(h, FRAME_READY);
	return 0;
}

static int take_record(struct niddgw_host *h, struct frame *f)
{
	int err = frame_read_record(f, &h->record.report, h->values, h->links);

	if (err)
		return err;
	if (h->plugin.record && h->plugin.record(h->state, &h->record)) {
		h->lost++;
		h->counted = true;
	}
	return 0;
}

static int take_session(struct niddgw_host *h, struct frame *f)
{
	struct niddgw_session s;
	int err = frame_read_session(f, &s);

	if (!err && h->plugin.session)
		(void)h->plugin.session(h->state, &s);
	return err;
}

static int take_down(struct niddgw_host *h, struct frame *f)
{
	struct niddgw_down d;
	int err = frame_read_down(f, &d);

	if (!err && h->plugin.down)
		(void)h->plugin.down(h->state, &d);
	return err;
}

static int take_alarm(struct niddgw_host *h, struct frame *f)
{
	struct niddgw_alarm_event a;
	int err = frame_read_alarm(f, &a);

	if (!err && h->plugin.alarm)
		(void)h->plugin.alarm(h->state, &a);
	return err;
}

static int take_stats(struct niddgw_host *h, struct frame *f)
{
	struct niddgw_stats s;
	int err = frame_read_stats(f, &s);

	if (!err && h->plugin.stats)
		(void)h->plugin.stats(h->state, &s);
	return err;
}

static int take_gateway(struct niddgw_host *h, struct frame *f)
{
	struct niddgw_gateway g;
	int err = frame_read_gateway(f, &g);

	if (!err && h->plugin.gateway)
		(void)h->plugin.gateway(h->state, &g);
	return err;
}

static int take_answer(struct niddgw_host *h, struct frame *f)
{
	struct niddgw_answer a;
	int err = frame_read_answer(f, &a);

	if (err)
		return err;
	if (a.final && h->commands)
		h->commands--; /* before the call, which may ask again */
	if (h->plugin.answer)
		(void)h->plugin.answer(h->state, &a);
	return 0;
}

static const struct {
	enum frame_kind kind;
	int (*take)(struct niddgw_host *h, struct frame *f);
} documents[] = {
	{ FRAME_RECORD, take_record }, { FRAME_SESSION, take_session }, { FRAME_DOWN, take_down },
	{ FRAME_ALARM, take_alarm },   { FRAME_STATS, take_stats },     { FRAME_GATEWAY, take_gateway },
	{ FRAME_ANSWER, take_answer },
};

int host_take(struct niddgw_host *h, struct frame *f)
{
	if (f->kind == FRAME_SETUP)
		return take_setup(h, f);
	for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
		if (documents[i].kind == f->kind)
			return h->open ? documents[i].take(h, f) : 0;
	return -EBADMSG;
}

void host_ready(struct niddgw_host *h, int fd, unsigned events)
{
	if (h->open && h->plugin.poll)
		h->plugin.poll(h->state, fd, events);
}

void host_timer(struct niddgw_host *h)
{
	if (h->open && h->plugin.timer)
		h->plugin.timer(h->state);
}

/* ---- counters ---- */

static void send_counter(struct niddgw_host *h, struct host_counter *c)
{
	const struct frame_count count = { c->name, c->gauge, c->value };
	struct writer w = writer_of(h->out, sizeof h->out);

	frame_write_count(&w, &count);
	host_send(h, &w);
	c->changed = false;
	if (!c->gauge)
		c->value = 0;
}

bool host_owes(const struct niddgw_host *h)
{
	return h->counted;
}

void host_flush(struct niddgw_host *h)
{
	struct writer w = writer_of(h->out, sizeof h->out);

	if (!h->counted)
		return;
	h->counted = false;
	if (h->lost && frame_write_lost(&w, h->lost))
		host_send(h, &w);
	h->lost = 0;
	for (size_t i = 0; i < h->counters_n; i++)
		if (h->counters[i].changed)
			send_counter(h, &h->counters[i]);
}
