/* SPDX-License-Identifier: Apache-2.0 */
/* frame.c - reading and writing the bodies of frames
 *
 * Each kind has a writer and a reader side by side, so that both stay the same. Everything that a document may lack is
 * a text that may be NULL; what must be there is asked for once, when the body has been read.
 */
#include "plugin/frame.h"

#include <errno.h>

#include "plugin/frame_parts.h"

/* ---- parts ---- */

size_t frame_begin(struct writer *w, uint8_t kind)
{
	const size_t start = writer_len(w);

	write_u32(w, 0);
	write_u8(w, kind);
	return start;
}

void frame_end(struct writer *w, size_t start)
{
	struct writer head = writer_of(w->start + start, 4);

	if (!w->failed)
		write_u32(&head, (uint32_t)(writer_len(w) - start - 4));
}

bool frame_done(struct writer *w, size_t start)
{
	frame_end(w, start);
	return !w->failed;
}

void put_u64(struct writer *w, uint64_t v)
{
	write_u32(w, (uint32_t)(v >> 32));
	write_u32(w, (uint32_t)v);
}

uint64_t get_u64(struct reader *r)
{
	const uint64_t high = read_u32(r);

	return high << 32 | read_u32(r);
}

void put_data(struct writer *w, const void *data, size_t len)
{
	if (len >= FRAME_DOWN_MOST) {
		w->failed = true;
		return;
	}
	write_u32(w, (uint32_t)len);
	write_bytes(w, data, len);
}

const uint8_t *get_data(struct reader *r, size_t *len)
{
	const uint32_t n = read_u32(r);
	const uint8_t *p = read_span(r, n);

	*len = p ? n : 0;
	return p;
}

#define NO_TEXT UINT32_MAX

void put_text(struct writer *w, const char *text)
{
	if (!text) {
		write_u32(w, NO_TEXT);
		return;
	}
	put_data(w, text, strlen(text));
	write_u8(w, 0);
}

const char *get_text(struct reader *r)
{
	const uint32_t n = read_u32(r);
	const uint8_t *p;

	if (n == NO_TEXT)
		return NULL;
	p = read_span(r, (size_t)n + 1);
	if (p && memchr(p, 0, (size_t)n + 1) == p + n)
		return (const char *)p;
	r->failed = true;
	return NULL;
}

const char *get_required(struct reader *r)
{
	const char *text = get_text(r);

	if (!text)
		r->failed = true;
	return text ? text : "";
}

int frame_read_done(const struct frame *f)
{
	return f->body.failed || reader_left(&f->body) ? -EBADMSG : 0;
}

/* ---- setup ---- */

bool frame_write_setup(struct writer *w, const struct frame_setup *s)
{
	const size_t start = frame_begin(w, FRAME_SETUP);

	put_text(w, s->instance);
	put_text(w, s->gateway_id);
	put_text(w, s->boot_id);
	put_text(w, s->state_dir);
	write_u32(w, s->n);
	return frame_done(w, start);
}

bool frame_write_setting(struct writer *w, const char *name, const char *const *texts, uint32_t n)
{
	put_text(w, name);
	write_u32(w, n);
	for (uint32_t i = 0; i < n; i++)
		put_text(w, texts[i]);
	return !w->failed;
}

int frame_next_text(struct reader *r, const char **text)
{
	*text = get_required(r);
	return r->failed ? -EBADMSG : 0;
}

int frame_next_setting(struct reader *r, struct frame_setting *s)
{
	const char *text;

	s->name = get_required(r);
	s->n = read_u32(r);
	s->texts = *r;
	for (uint32_t i = 0; i < s->n && !r->failed; i++)
		(void)frame_next_text(r, &text);
	return r->failed ? -EBADMSG : 0;
}

int frame_read_setup(struct frame *f, struct frame_setup *s)
{
	struct reader *r = &f->body;
	struct frame_setting one;

	s->instance = get_required(r);
	s->gateway_id = get_required(r);
	s->boot_id = get_required(r);
	s->state_dir = get_required(r);
	s->n = read_u32(r);
	s->settings = *r;
	if (s->n > FRAME_OPTIONS_MOST)
		return -EBADMSG;
	for (uint32_t i = 0; i < s->n && !r->failed; i++)
		(void)frame_next_setting(r, &one);
	return frame_read_done(f);
}

/* ---- documents ---- */

bool frame_write_session(struct writer *w, const struct niddgw_session *s)
{
	const size_t start = frame_begin(w, FRAME_SESSION);

	put_text(w, s->device);
	put_text(w, s->event);
	put_text(w, s->server);
	put_text(w, s->state);
	put_text(w, s->objects);
	put_text(w, s->json);
	return frame_done(w, start);
}

int frame_read_session(struct frame *f, struct niddgw_session *s)
{
	struct reader *r = &f->body;

	*s = (struct niddgw_session){ .size = sizeof *s };
	s->device = get_required(r);
	s->event = get_text(r);
	s->server = get_text(r);
	s->state = get_text(r);
	s->objects = get_text(r);
	s->json = get_text(r);
	return frame_read_done(f);
}

bool frame_write_down(struct writer *w, const struct niddgw_down *d)
{
	const size_t start = frame_begin(w, FRAME_DOWN);

	put_text(w, d->device);
	put_text(w, d->state);
	put_text(w, d->json);
	return frame_done(w, start);
}

int frame_read_down(struct frame *f, struct niddgw_down *d)
{
	*d = (struct niddgw_down){ .size = sizeof *d };
	d->device = get_required(&f->body);
	d->state = get_required(&f->body);
	d->json = get_required(&f->body);
	return frame_read_done(f);
}

bool frame_write_alarm(struct writer *w, const struct niddgw_alarm_event *a)
{
	const size_t start = frame_begin(w, FRAME_ALARM);

	put_text(w, a->type);
	put_text(w, a->source);
	put_text(w, a->id);
	put_text(w, a->action);
	put_text(w, a->state);
	put_text(w, a->json);
	return frame_done(w, start);
}

int frame_read_alarm(struct frame *f, struct niddgw_alarm_event *a)
{
	struct reader *r = &f->body;

	*a = (struct niddgw_alarm_event){ .size = sizeof *a };
	a->type = get_required(r);
	a->source = get_required(r);
	a->id = get_required(r);
	a->action = get_required(r);
	a->state = get_text(r);
	a->json = get_text(r);
	return frame_read_done(f);
}

bool frame_write_stats(struct writer *w, const struct niddgw_stats *s)
{
	return frame_write_text(w, FRAME_STATS, s->json);
}

int frame_read_stats(struct frame *f, struct niddgw_stats *s)
{
	*s = (struct niddgw_stats){ .size = sizeof *s };
	return frame_read_text(f, &s->json);
}

bool frame_write_gateway(struct writer *w, const struct niddgw_gateway *g)
{
	const size_t start = frame_begin(w, FRAME_GATEWAY);

	write_u32(w, g->what);
	put_text(w, g->phase);
	put_text(w, g->json);
	return frame_done(w, start);
}

int frame_read_gateway(struct frame *f, struct niddgw_gateway *g)
{
	*g = (struct niddgw_gateway){ .size = sizeof *g };
	g->what = read_u32(&f->body);
	g->phase = get_text(&f->body);
	g->json = get_required(&f->body);
	return frame_read_done(f);
}

bool frame_write_answer(struct writer *w, const struct niddgw_answer *a)
{
	const size_t start = frame_begin(w, FRAME_ANSWER);

	put_u64(w, a->cookie);
	put_text(w, a->device);
	put_text(w, a->command);
	put_text(w, a->id);
	write_u8(w, a->final);
	put_text(w, a->json);
	return frame_done(w, start);
}

int frame_read_answer(struct frame *f, struct niddgw_answer *a)
{
	struct reader *r = &f->body;

	*a = (struct niddgw_answer){ .size = sizeof *a };
	a->cookie = get_u64(r);
	a->device = get_text(r);
	a->command = get_required(r);
	a->id = get_text(r);
	a->final = read_u8(r) != 0;
	a->json = get_required(r);
	return frame_read_done(f);
}

/* ---- frames of a text or of nothing ---- */

bool frame_write_text(struct writer *w, uint8_t kind, const char *text)
{
	const size_t start = frame_begin(w, kind);

	put_text(w, text);
	return frame_done(w, start);
}

int frame_read_text(struct frame *f, const char **text)
{
	*text = get_required(&f->body);
	return frame_read_done(f);
}

bool frame_write_empty(struct writer *w, uint8_t kind)
{
	return frame_done(w, frame_begin(w, kind));
}
