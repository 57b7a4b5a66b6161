/* SPDX-License-Identifier: Apache-2.0 */
/* scef_radio.c - the air: one UDP socket, each source a device
 *
 * Impairments sit here, below everything else: units lost, doubled, delayed or swapped with the next one, by number
 * (command radio) or by percentage with the seed. Without a socket there is an air all the same: units come by command
 * and go nowhere but into events.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "sim/scef.h"

#define UNIT_MAX 65536
#define BURST 64 /* datagrams taken in one pass */

struct flying {
	struct flying *next, *prev;
	struct timer timer;
	struct scef_radio *radio;
	struct scef_user *user;
	bool up;
	size_t len;
	uint8_t data[];
};

struct scef_radio {
	struct scef *scef;
	struct loop_fd *watch;
	struct flying *flying;  /* owned */
	struct flying *swapped; /* an uplink that lets the next one pass; owned by the list */
	uint8_t *buf;
	int fd; /* -1: none */
	uint64_t drop_up, drop_down, dup_up, dup_down, swap_up;
};

/* ---- one unit, each way ---- */

static void down_now(struct scef_radio *r, struct scef_user *u, const uint8_t *data, size_t len)
{
	if (r->fd >= 0 && u->has_addr)
		sendto(r->fd, data, len, 0, &u->addr.u.sa, u->addr.len);
	scef_event(r->scef,
		   json_pack("{s:s, s:s, s:o}", "ev", "downlink", "external_id", scef_user_name(u), "data",
			     json_hex(data, len)));
}

static void fly_free(struct flying *f)
{
	if (f->radio->swapped == f)
		f->radio->swapped = NULL;
	if (f->prev)
		f->prev->next = f->next;
	else
		f->radio->flying = f->next;
	if (f->next)
		f->next->prev = f->prev;
	timer_cancel(loop_timers(f->radio->scef->loop), &f->timer);
	free(f);
}

static void land(struct flying *f)
{
	if (f->up)
		scef_uplink(f->user, f->data, f->len, NULL);
	else
		down_now(f->radio, f->user, f->data, f->len);
	fly_free(f);
}

static void on_landing(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	land(container_of(t, struct flying, timer));
}

static struct flying *fly(struct scef_radio *r, struct scef_user *u, bool up, const uint8_t *data, size_t len,
			  uint64_t ms)
{
	struct flying *f = calloc(1, sizeof *f + len);

	if (!f)
		return NULL;
	f->radio = r;
	f->user = u;
	f->up = up;
	f->len = len;
	if (len)
		memcpy(f->data, data, len);
	f->next = r->flying;
	if (f->next)
		f->next->prev = f;
	r->flying = f;
	timer_set(loop_timers(r->scef->loop), &f->timer, clock_now_ms() + ms, on_landing);
	return f;
}

static bool counted(uint64_t *n)
{
	if (!*n)
		return false;
	--*n;
	return true;
}

static bool lost(struct scef_radio *r, struct scef_user *u, bool up, const uint8_t *data, size_t len)
{
	uint64_t percent = r->scef->opts.loss_percent;

	if (!counted(up ? &r->drop_up : &r->drop_down) && !(percent && random_below(100) < percent))
		return false;
	scef_event(r->scef,
		   json_pack("{s:s, s:s, s:s, s:o}", "ev", "lost", "external_id", scef_user_name(u), "way",
			     up ? "up" : "down", "data", json_hex(data, len)));
	return true;
}

void scef_radio_send(struct scef_user *u, const uint8_t *data, size_t len)
{
	struct scef_radio *r = u->scef->radio;
	uint64_t ms = u->scef->opts.radio_delay_ms;

	if (lost(r, u, false, data, len))
		return;
	for (int copies = counted(&r->dup_down) ? 2 : 1; copies--;) {
		if (ms)
			fly(r, u, false, data, len, ms);
		else
			down_now(r, u, data, len);
	}
}

static void up(struct scef_radio *r, struct scef_user *u, const uint8_t *data, size_t len)
{
	struct flying *before = r->swapped;
	uint64_t ms = r->scef->opts.radio_delay_ms;

	if (lost(r, u, true, data, len))
		return;
	if (!before && counted(&r->swap_up)) {
		r->swapped = fly(r, u, true, data, len,
				 60000); /* until the next one, or long enough to be seen as lost */
		return;
	}
	if (ms)
		fly(r, u, true, data, len, ms);
	else
		scef_uplink(u, data, len, NULL);
	if (before)
		land(before);
}

/* ---- the socket ---- */

static void on_datagram(void *arg, int fd, unsigned what)
{
	struct scef_radio *r = arg;

	(void)what;
	for (int i = 0; i < BURST; i++) {
		struct sockaddr_storage sa;
		socklen_t sa_len = sizeof sa;
		ssize_t n = recvfrom(fd, r->buf, UNIT_MAX, MSG_DONTWAIT, (struct sockaddr *)&sa, &sa_len);
		struct scef_user *u;
		struct addr from;

		if (n < 0)
			return;
		addr_from(&from, (struct sockaddr *)&sa, sa_len);
		u = scef_user_at(r->scef, &from);
		if (u)
			up(r, u, r->buf, (size_t)n);
	}
}

static int bind_radio(struct scef_radio *r, const char *text)
{
	int size = 4 << 20;
	struct addr a;

	if (!strncmp(text, "udp:", 4))
		text += 4;
	if (addr_parse(&a, text, true))
		return -EINVAL;
	r->fd = socket(a.u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->fd < 0 || bind(r->fd, &a.u.sa, a.len))
		return -errno;
	setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	r->buf = malloc(UNIT_MAX);
	return r->buf ? loop_watch(r->scef->loop, &r->watch, r->fd, LOOP_READ, on_datagram, r) : -ENOMEM;
}

int scef_radio_open(struct scef *s)
{
	struct scef_radio *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	r->scef = s;
	r->fd = -1;
	s->radio = r;
	return s->opts.radio ? bind_radio(r, s->opts.radio) : 0;
}

void scef_radio_close(struct scef *s)
{
	struct scef_radio *r = s->radio;

	if (!r)
		return;
	while (r->flying)
		fly_free(r->flying);
	loop_unwatch(r->watch);
	if (r->fd >= 0)
		close(r->fd);
	free(r->buf);
	free(r);
	s->radio = NULL;
}

bool scef_radio_reaches(const struct scef_user *u)
{
	return u->scef->radio->fd < 0 || (u->has_addr && addr_port(&u->addr));
}

bool scef_radio_duplicate(struct scef *s)
{
	return counted(&s->radio->dup_up) ||
		(s->opts.duplicate_percent && random_below(100) < s->opts.duplicate_percent);
}

int scef_radio_command(struct scef *s, json_t *cmd, json_t *reply)
{
	struct scef_radio *r = s->radio;
	struct {
		const char *name;
		uint64_t *n;
	} counts[] = { { "drop_up", &r->drop_up },
		       { "drop_down", &r->drop_down },
		       { "dup_up", &r->dup_up },
		       { "dup_down", &r->dup_down },
		       { "swap_up", &r->swap_up } };

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		*counts[i].n = (uint64_t)cmd_int(cmd, counts[i].name, (int64_t)*counts[i].n);
		json_object_set_new(reply, counts[i].name, json_integer((json_int_t)*counts[i].n));
	}
	return 0;
}
