/* SPDX-License-Identifier: Apache-2.0 */
/* ways.c - DTLS, TCP and TLS as sessions see them: associations that end, streams without ids
 *
 * A stream shows what crosses it: type and id of a message are taken off (it stands as MSG in a scenario), an empty one
 * is not sent. What is sent confirmable is acknowledged as the transport does it, a request when the call is over, the
 * rest by `pong`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "north.h"

/* ---- what sessions call ---- */

bool north_server_is_stream(const struct north_server *s)
{
	return s->stream;
}

size_t north_assoc_message_max(const struct north_assoc *a)
{
	return a->srv->stream ? a->max : 65507;
}

bool north_assoc_blockwise(const struct north_assoc *a)
{
	return a->blockwise;
}

void north_assoc_unanswered(struct north_assoc *a)
{
	a->unanswered++;
	if (strncmp(a->srv->conf->uri, "coaps://", 8) == 0 && a->unanswered >= a->srv->conf->dead_after)
		a->lost = a->ends = true;
}

int way_refuses(struct north_assoc *a, size_t len)
{
	if (a->srv->denied) {
		a->tried++;
		return -EACCES;
	}
	if (a->srv->down || a->lost) {
		a->wanted = true;
		return -ENOTCONN;
	}
	return a->srv->stream && len > a->max ? -EMSGSIZE : 0;
}

/* ---- streams ---- */

static void add_unacked(struct unacked *u, uint16_t mid)
{
	if (u->n == UNACKED_MAX)
		fail("too much is unacknowledged on a stream");
	u->mids[u->n++] = mid;
}

void stream_sent(struct north_assoc *a, const uint8_t *data, size_t len)
{
	uint16_t mid = (uint16_t)(data[2] << 8 | data[3]);
	uint8_t *bare;

	if (!data[1])
		return;
	if ((data[0] >> 4 & 3) == COAP_CON)
		add_unacked(coap_is_request(data[1]) ? &a->written : &a->unsure, mid);
	bare = malloc(len);
	if (!bare)
		abort();
	memcpy(bare, data, len);
	bare[0] = (uint8_t)((bare[0] & 0xcf) | COAP_NON << 4);
	bare[2] = bare[3] = 0;
	output_add(bare, len, "north %s %s", a->srv->name, a->who);
	free(bare);
}

void stream_number(struct north_assoc *a, uint8_t *data, size_t len)
{
	if (len < 4)
		return;
	a->next_mid++;
	data[2] = (uint8_t)(a->next_mid >> 8);
	data[3] = (uint8_t)a->next_mid;
}

static void acknowledge(struct north_assoc *a, struct unacked *u)
{
	struct unacked all = *u;

	u->n = 0;
	for (unsigned i = 0; i < all.n; i++) {
		const struct coap_empty ack = coap_empty(COAP_ACK, all.mids[i]);

		a->events->recv(a->arg, ack.octets, sizeof ack);
	}
}

static bool end_or_acknowledge(struct north_assoc *a)
{
	if (a->ends) {
		a->ends = false;
		a->unanswered = 0;
		a->events->event(a->arg, NORTH_DOWN);
		return true;
	}
	if (!a->written.n)
		return false;
	acknowledge(a, &a->written);
	return true;
}

void fake_north_step(void)
{
	for (struct north_server *s = world.servers; s; s = s->next)
		for (struct north_assoc *a = s->assocs; a; a = a->next)
			while (end_or_acknowledge(a))
				;
}

/* ---- commands ---- */

static void lose(struct north_assoc *a)
{
	a->lost = true;
	a->wanted = false;
	a->written.n = a->unsure.n = 0;
	a->events->event(a->arg, NORTH_DOWN);
}

static void make(struct north_assoc *a)
{
	a->lost = false;
	a->events->event(a->arg, NORTH_UP);
}

/* north-csm SERVER DEVICE max=N blockwise=yes|no */
static void set_csm(struct north_assoc *a, const struct words *w)
{
	const char *max = words_find(w, 3, "max"), *blockwise = words_find(w, 3, "blockwise");

	if (max)
		a->max = (size_t)number_parse(max);
	if (blockwise)
		a->blockwise = strcmp(blockwise, "yes") == 0;
}

static void check_wanted(const struct north_assoc *a, const struct words *w)
{
	if (w->n != 4 || a->wanted != (strcmp(w->v[3], "yes") == 0))
		fail("it is %s", a->wanted ? "wanted" : "not wanted");
}

static void check_unanswered(const struct north_assoc *a, const struct words *w)
{
	if (w->n != 4 || (long)a->unanswered != number_parse(w->v[3]))
		fail("%u are unanswered", a->unanswered);
}

static void check_tried(const struct north_assoc *a, const struct words *w)
{
	if (w->n != 4 || (long)a->tried != number_parse(w->v[3]))
		fail("%u messages found it denied", a->tried);
}

static void check_text(const char *what, const char *want, const char *have)
{
	if (want && strcmp(want, have ? have : "none") != 0)
		fail("%s is %s", what, have ? have : "none");
}

/* credentials SERVER DEVICE [identity=..] [key=PATH] [cert=PATH] [private=PATH] [resume=HEX]: what a handshake would
 * use */
static void check_credentials(const struct north_assoc *a, const struct words *w)
{
	const char *resume = words_find(w, 3, "resume");
	struct north_credentials c = { 0 };
	uint8_t want[64];
	size_t n;

	session_north_events.credentials(a->arg, &c);
	check_text("the identity", words_find(w, 3, "identity"), c.psk_identity);
	check_text("the key", words_find(w, 3, "key"), c.psk_key);
	check_text("the certificate", words_find(w, 3, "cert"), c.cert_file);
	check_text("its key", words_find(w, 3, "private"), c.key_file);
	if (!resume)
		return;
	n = hex_parse(resume, want, sizeof want);
	if (n != c.resume_len || (n && memcmp(want, c.resume, n) != 0))
		fail("%zu octets are there to resume", c.resume_len);
}

/* resumable SERVER DEVICE [HEX]: a handshake has given this; nothing: forget it */
static void resumable(const struct north_assoc *a, const struct words *w)
{
	uint8_t data[64];
	size_t n = w->n == 4 ? hex_parse(w->v[3], data, sizeof data) : 0;

	session_north_events.resumable(a->arg, data, n);
}

/* north-denied SERVER | lost, made, pong, north-csm, north-next, wanted, unanswered, tried SERVER DEVICE .. */
bool way_command(struct north_server *s, const struct words *w, const char *verb)
{
	struct north_assoc *a = w->n > 2 && strcmp(verb, "silent") != 0 ? assoc_of(s, w->v[2]) : NULL;

	if (strcmp(verb, "north-denied") == 0) {
		s->denied = true;
		tell_all(s, NORTH_DENIED);
	} else if (!a) {
		return false;
	} else if (strcmp(verb, "lost") == 0) {
		lose(a);
	} else if (strcmp(verb, "made") == 0) {
		make(a);
	} else if (strcmp(verb, "pong") == 0) {
		acknowledge(a, &a->unsure);
	} else if (strcmp(verb, "north-csm") == 0) {
		set_csm(a, w);
	} else if (strcmp(verb, "wanted") == 0) {
		check_wanted(a, w);
	} else if (strcmp(verb, "north-next") == 0 && w->n == 4) {
		a->next_mid = (uint16_t)number_parse(w->v[3]);
	} else if (strcmp(verb, "credentials") == 0) {
		check_credentials(a, w);
	} else if (strcmp(verb, "resumable") == 0) {
		resumable(a, w);
	} else if (strcmp(verb, "tried") == 0) {
		check_tried(a, w);
	} else if (strcmp(verb, "unanswered") == 0) {
		check_unanswered(a, w);
	} else {
		return false;
	}
	return true;
}
