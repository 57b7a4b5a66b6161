/* SPDX-License-Identifier: Apache-2.0 */
/* frame_up.c - frames of a host process towards the daemon */
#include <errno.h>

#include "plugin/frame_parts.h"

bool frame_write_hello(struct writer *w, const struct frame_hello *h)
{
	const size_t start = frame_begin(w, FRAME_HELLO);

	write_u32(w, h->version); /* first, for all times: a reader of another version stops here */
	write_u32(w, h->abi);
	put_text(w, h->build);
	put_text(w, h->name);
	put_text(w, h->plugin_version);
	write_u32(w, h->needs);
	write_u32(w, h->takes);
	return frame_done(w, start);
}

int frame_read_hello(struct frame *f, struct frame_hello *h)
{
	struct reader *r = &f->body;

	*h = (struct frame_hello){ .version = read_u32(r), .build = "", .name = "" };
	if (h->version != FRAME_VERSION)
		return r->failed ? -EBADMSG : 0;
	h->abi = read_u32(r);
	h->build = get_required(r);
	h->name = get_required(r);
	h->plugin_version = get_text(r);
	h->needs = read_u32(r);
	h->takes = read_u32(r);
	return frame_read_done(f);
}

bool frame_write_option(struct writer *w, const struct niddgw_option *o)
{
	const size_t start = frame_begin(w, FRAME_OPTION);
	uint32_t n = 0;

	while (o->words && o->words[n] && n <= FRAME_WORDS_MOST)
		n++;
	put_text(w, o->name);
	write_u32(w, o->type);
	write_u8(w, o->required);
	put_text(w, o->fallback);
	write_u32(w, n);
	for (uint32_t i = 0; i < n; i++)
		put_text(w, o->words[i]);
	put_u64(w, (uint64_t)o->least);
	put_u64(w, (uint64_t)o->most);
	put_text(w, o->help);
	return frame_done(w, start);
}

int frame_read_option(struct frame *f, struct niddgw_option *o, const char **words)
{
	struct reader *r = &f->body;
	uint32_t n;

	*o = (struct niddgw_option){ .name = get_required(r) };
	o->type = read_u32(r);
	o->required = read_u8(r) != 0;
	o->fallback = get_text(r);
	n = read_u32(r);
	if (n > FRAME_WORDS_MOST)
		return -EBADMSG;
	for (uint32_t i = 0; i < n; i++)
		words[i] = get_required(r);
	words[n] = NULL;
	o->words = n ? words : NULL;
	o->least = (int64_t)get_u64(r);
	o->most = (int64_t)get_u64(r);
	o->help = get_text(r);
	return frame_read_done(f);
}

bool frame_write_log(struct writer *w, const struct frame_log *l)
{
	const size_t start = frame_begin(w, FRAME_LOG);

	write_u32(w, l->level);
	put_text(w, l->event);
	put_text(w, l->text);
	return frame_done(w, start);
}

int frame_read_log(struct frame *f, struct frame_log *l)
{
	l->level = read_u32(&f->body);
	l->event = get_required(&f->body);
	l->text = get_text(&f->body);
	return frame_read_done(f);
}

bool frame_write_count(struct writer *w, const struct frame_count *c)
{
	const size_t start = frame_begin(w, FRAME_COUNT);

	put_text(w, c->name);
	write_u8(w, c->gauge);
	put_u64(w, c->value);
	return frame_done(w, start);
}

int frame_read_count(struct frame *f, struct frame_count *c)
{
	c->name = get_required(&f->body);
	c->gauge = read_u8(&f->body) != 0;
	c->value = get_u64(&f->body);
	return frame_read_done(f);
}

bool frame_write_raise(struct writer *w, const struct frame_raise *a)
{
	const size_t start = frame_begin(w, FRAME_RAISE);

	put_text(w, a->type);
	put_text(w, a->text);
	return frame_done(w, start);
}

int frame_read_raise(struct frame *f, struct frame_raise *a)
{
	a->type = get_required(&f->body);
	a->text = get_text(&f->body);
	return frame_read_done(f);
}

bool frame_write_command(struct writer *w, const struct niddgw_command *c)
{
	const size_t start = frame_begin(w, FRAME_COMMAND);

	put_text(w, c->device);
	put_text(w, c->name);
	put_text(w, c->id);
	put_text(w, c->args);
	write_u32(w, c->timeout_ms);
	put_u64(w, c->cookie);
	return frame_done(w, start);
}

int frame_read_command(struct frame *f, struct niddgw_command *c)
{
	struct reader *r = &f->body;

	*c = (struct niddgw_command){ .size = sizeof *c };
	c->device = get_text(r);
	c->name = get_required(r);
	c->id = get_text(r);
	c->args = get_text(r);
	c->timeout_ms = read_u32(r);
	c->cookie = get_u64(r);
	return frame_read_done(f);
}

bool frame_write_lost(struct writer *w, uint64_t n)
{
	const size_t start = frame_begin(w, FRAME_LOST);

	put_u64(w, n);
	return frame_done(w, start);
}

int frame_read_lost(struct frame *f, uint64_t *n)
{
	*n = get_u64(&f->body);
	return frame_read_done(f);
}
