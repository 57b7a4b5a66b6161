/* SPDX-License-Identifier: Apache-2.0 */
/* budget.c - how many units a device may get, and the alarm of its limits
 *
 * Several windows may hold at once: the profile's, and later those that are learnt from the network or the device. A
 * unit counts in all of them, and all must have room. What counts outlives a restart in the record of the device.
 */
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define WINDOWS_MAX 4
#define GROUPS_MAX 32  /* of one window in the record */
#define ANSWER_UNITS 1 /* the acknowledgement that a device gets beside a transfer */

struct budget {
	struct window w[WINDOWS_MAX];
	unsigned n;
};

void budget_free(struct device *d)
{
	struct budget *b = d->gate.budget;

	for (unsigned i = 0; b && i < b->n; i++)
		window_fini(&b->w[i]);
	free(b);
	d->gate.budget = NULL;
}

void budget_configure(struct device *d)
{
	const struct profile_conf *c = d->profile->conf;

	if (!c->units_per_window) {
		budget_free(d);
		return;
	}
	if (!d->gate.budget)
		d->gate.budget = calloc(1, sizeof *d->gate.budget);
	if (!d->gate.budget) {
		log_ev(LOG_ERROR, ROOM, "budget.no_memory", LF_STR("dev", device_name(d)));
		return;
	}
	d->gate.budget->n = 1;
	window_set(&d->gate.budget->w[0], (uint32_t)c->units_per_window, (uint32_t)c->window_s);
}

void budget_take(struct device *d)
{
	struct budget *b = d->gate.budget;

	for (unsigned i = 0; b && i < b->n; i++)
		window_add(&b->w[i], clock_now_ms());
}

bool budget_has_room(struct device *d)
{
	struct budget *b = d->gate.budget;

	for (unsigned i = 0; b && i < b->n; i++)
		if (!window_has_room(&b->w[i], clock_now_ms()))
			return false;
	return true;
}

uint64_t budget_room_at(struct device *d, uint32_t nth)
{
	struct budget *b = d->gate.budget;
	uint64_t now = clock_now_ms(), at = now;

	for (unsigned i = 0; b && i < b->n; i++) {
		uint64_t room = window_room_at(&b->w[i], now, nth);

		at = room > at ? room : at;
	}
	return at;
}

static int64_t room_of(struct window *w)
{
	return (int64_t)w->limit - window_used(w, clock_now_ms());
}

bool budget_status(const struct device *d, uint32_t *limit, uint64_t *window_s, uint32_t *used)
{
	struct budget *b = d->gate.budget;
	struct window *tight = NULL;

	for (unsigned i = 0; b && i < b->n; i++)
		if (!tight || room_of(&b->w[i]) < room_of(tight))
			tight = &b->w[i];
	if (!tight)
		return false;
	*limit = tight->limit;
	*window_s = tight->span_s;
	*used = window_used(tight, clock_now_ms());
	return true;
}

/* ---- transfers ---- */

/* Size1 of a request; 0: not given. */
static uint64_t size1_of(const struct coap_msg *m)
{
	struct coap_options it = coap_options_of(m);
	struct coap_option o;

	while (coap_option_next(&it, &o))
		if (o.number == COAP_SIZE1)
			return coap_option_uint(&o);
	return 0;
}

/* Units that an upload needs whose first block this is, one for each block; 0: it is none. */
static uint64_t blocks_of(const struct coap_msg *m, const struct coap_view *v)
{
	size_t size = coap_block_size(coap_block_szx(v->block1));
	uint64_t blocks;

	if (!v->has_block1 || coap_block_num(v->block1) || !coap_block_more(v->block1))
		return 0;
	blocks = (size1_of(m) + size - 1) / size;
	return blocks > 2 ? blocks : 2;
}

size_t budget_too_small(struct device *d, const struct assoc *a, const struct coap_msg *m, const struct coap_view *v)
{
	struct budget *b = d->gate.budget;
	uint64_t blocks = b ? blocks_of(m, v) : 0, patience_ms = a->srv->conf->patience_s * 1000;
	size_t fits = 0;

	for (unsigned i = 0; blocks && i < b->n; i++) {
		uint32_t units = b->w[i].limit > ANSWER_UNITS ? b->w[i].limit - ANSWER_UNITS : b->w[i].limit;
		size_t octets = units * coap_block_size(coap_block_szx(v->block1));

		if (blocks > units && b->w[i].span_ms > patience_ms && (!fits || octets < fits))
			fits = octets;
	}
	return fits;
}

/* ---- over a restart ---- */

void budget_write(struct writer *w, const struct device *d)
{
	struct budget *b = d->gate.budget;
	uint64_t now = clock_now_ms(), wall = clock_wall_ms();
	struct window_group v[GROUPS_MAX];

	write_u8(w, (uint8_t)(b ? b->n : 0));
	for (unsigned i = 0; b && i < b->n; i++) {
		size_t n = window_groups(&b->w[i], now, v, GROUPS_MAX);

		write_u8(w, (uint8_t)n);
		for (size_t j = 0; j < n; j++) {
			write_u32(w, v[j].n);
			write_u32(w, (uint32_t)((wall - v[j].age_ms) >> 32));
			write_u32(w, (uint32_t)(wall - v[j].age_ms));
		}
	}
}

/* A group whose time lies ahead, or is not to be trusted, counts from now on. */
static void read_group(struct reader *r, struct window *w, bool trusted)
{
	uint64_t now = clock_now_ms(), wall = clock_wall_ms();
	uint32_t n = read_u32(r);
	uint64_t at = (uint64_t)read_u32(r) << 32, age;

	at |= read_u32(r);
	age = trusted && at < wall ? wall - at : 0;
	if (r->failed || !w || age >= w->span_ms || age >= now)
		return;
	for (; n && w->used < w->limit; n--)
		window_add(w, now - age);
}

void budget_read(struct reader *r, struct device *d, bool trusted)
{
	struct budget *b = d->gate.budget;
	unsigned windows = read_u8(r);

	for (unsigned i = 0; i < windows; i++) {
		unsigned groups = read_u8(r);

		for (unsigned j = 0; j < groups; j++)
			read_group(r, b && i < b->n ? &b->w[i] : NULL, trusted);
	}
}

/* ---- the alarm ---- */

void quota_bites(struct device *d, bool up, const char *text)
{
	bool *mine = up ? &d->gate.quota_up : &d->gate.quota_down, raised = d->gate.quota_up || d->gate.quota_down;

	*mine = true;
	if (raised)
		return;
	log_ev(LOG_WARNING, ROOM, "device.quota", LF_STR("dev", device_name(d)), LF_STR("reason", text));
	alarm_raise(d->all->env.alarms, ALARM_MINOR, "device.quota", device_name(d), text,
		    "see what the device and its servers send, or its profile");
}

void quota_eases(struct device *d, bool up)
{
	bool *mine = up ? &d->gate.quota_up : &d->gate.quota_down;

	if (!*mine)
		return;
	*mine = false;
	if (!d->gate.quota_up && !d->gate.quota_down)
		alarm_clear(d->all->env.alarms, "device.quota", device_name(d));
}
