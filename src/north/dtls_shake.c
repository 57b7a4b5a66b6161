/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_shake.c - the handshake of an association over DTLS: from the first record to its end, good or not
 *
 * Retransmissions are timed by OpenSSL and kept by our timer, beside two times of our own: when the handshake has to be
 * over, and from when on it does not count any more as one that keeps the server busy. Nothing ends it before that but
 * what the server has said under protection, a certificate that is refused, and an alert that is meant (see
 * dtls_record.c).
 */
#include <openssl/err.h>
#include <stdio.h>
#include <sys/time.h>

#include "base/clock.h"
#include "north/dtls.h"

enum {
	LINK_MTU = 1280, /* of IPv6: passes everywhere */
	SLOT_MS = 2000,  /* a server that has not answered for so long is not busy with this one */
};

/* ---- how it ends ---- */

static void on_timer(struct timer *t, uint64_t now_ms);

static void failed(struct dtls *d, enum secure_result r, const char *why)
{
	struct north_assoc *a = &d->head;
	const bool silent = r == SECURE_TIMEOUT && !d->sec.messages;
	uint32_t wait = secure_failed(a, &d->sec, r, why);

	server_slot_free(a);
	timer_set(dtls_timers(d), &d->timer, clock_now_ms() + wait, on_timer);
	if (r == SECURE_DENIED)
		assoc_end(a, ASSOC_DENIED);
	else
		a->state = ASSOC_BUSY;
	if (silent)
		server_no_answer(a->srv, d->slot_ms - SLOT_MS);
}

static void failed_by_alert(struct dtls *d)
{
	char why[120];

	snprintf(why, sizeof why, "the server sends alert \"%s\"", SSL_alert_desc_string_long(d->description));
	failed(d, SECURE_ALERT, why);
}

static void failed_by_time(struct dtls *d)
{
	const OSSL_HANDSHAKE_STATE at = SSL_get_state(d->sec.ssl);

	if (d->alert)
		failed_by_alert(d);
	else if (!d->sec.messages)
		failed(d, SECURE_TIMEOUT, "the server does not answer");
	else if (!d->sec.heard)
		failed(d, SECURE_TIMEOUT, "the server asks for a cookie and does not answer any more");
	else if (at == TLS_ST_CW_FINISHED || at == TLS_ST_CR_CHANGE || at == TLS_ST_CR_FINISHED)
		failed(d, SECURE_TIMEOUT,
		       "the server falls silent when the keys are used: are they the same on both sides?");
	else
		failed(d, SECURE_TIMEOUT, "the server falls silent in the middle of the handshake");
}

/* The next thing to do while a handshake runs. */
static void arm(struct dtls *d)
{
	const uint64_t now_ms = clock_now_ms();
	uint64_t at_ms = d->deadline_ms;
	struct timeval left;

	if (d->head.slot && d->slot_ms < at_ms)
		at_ms = d->slot_ms;
	if (DTLSv1_get_timeout(d->sec.ssl, &left)) {
		uint64_t resend_ms = now_ms + (uint64_t)left.tv_sec * 1000 + (uint64_t)left.tv_usec / 1000 + 1;

		if (resend_ms < at_ms)
			at_ms = resend_ms;
	}
	timer_set(dtls_timers(d), &d->timer, at_ms > now_ms ? at_ms : now_ms + 1, on_timer);
}

static void finished(struct dtls *d)
{
	struct north_assoc *a = &d->head;
	struct north *n = a->srv->north;

	timer_cancel(dtls_timers(d), &d->timer);
	server_slot_free(a);
	d->unanswered = 0;
	secure_good(a, &d->sec);
	north_server_heard(a->srv);
	if (n->current == a)
		assoc_up(a);
}

/* ---- how it goes on ---- */

/* As far as it goes with what is there. n->current is the association, and is not when it was closed meanwhile. */
void dtls_step(struct dtls *d)
{
	const uint16_t messages = d->sec.messages;
	char why[160];
	int ret = dtls_handshake(&d->head, d->sec.ssl), kind = SSL_get_error(d->sec.ssl, ret);
	enum secure_result r;

	if (d->sec.messages != messages) /* it goes on: the alert was nobody's */
		d->alert = d->alert_again = false;
	if (ret == 1) {
		finished(d);
	} else if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
		ERR_clear_error();
		arm(d);
	} else {
		r = secure_outcome(&d->sec, ret, why, sizeof why);
		failed(d, r, why);
	}
}

void dtls_begin(struct dtls *d)
{
	struct north_assoc *a = &d->head;
	const uint64_t now_ms = clock_now_ms();
	char why[200];
	enum secure_result r = secure_begin(a, &d->sec, why, sizeof why);
	BIO *bio = r ? NULL : dtls_bio(a);

	a->state = ASSOC_BUSY;
	d->alert = d->alert_again = false;
	if (!r && !bio) {
		r = SECURE_FAILED;
		snprintf(why, sizeof why, "no memory");
	}
	if (r) {
		failed(d, r, why);
		return;
	}
	SSL_set_bio(d->sec.ssl, bio, bio);
	DTLS_set_link_mtu(d->sec.ssl, LINK_MTU);
	d->deadline_ms = now_ms + a->srv->conf->handshake_timeout_s * 1000;
	d->slot_ms = now_ms + SLOT_MS;
	a->srv->north->datagram_len = 0;
	a->srv->north->current = a;
	dtls_step(d);
	a->srv->north->current = NULL;
}

static void resend(struct dtls *d)
{
	char why[160];
	long ret;

	if (d->alert && d->alert_again) {
		failed_by_alert(d);
		return;
	}
	d->alert_again = d->alert;
	ret = dtls_resend(&d->head, d->sec.ssl);
	if (ret < 0) {
		enum secure_result r = secure_outcome(&d->sec, (int)ret, why, sizeof why);

		failed(d, r, why);
	} else {
		arm(d);
	}
}

static void on_timer(struct timer *t, uint64_t now_ms)
{
	struct dtls *d = container_of(t, struct dtls, timer);
	struct timeval left;

	if (!d->sec.ssl) { /* long enough after one that failed */
		assoc_want(&d->head);
		return;
	}
	if (now_ms >= d->slot_ms)
		server_slot_free(&d->head);
	if (now_ms >= d->deadline_ms)
		failed_by_time(d);
	else if (DTLSv1_get_timeout(d->sec.ssl, &left) && !left.tv_sec && !left.tv_usec)
		resend(d);
	else
		arm(d);
}

/* ---- what others say ---- */

void dtls_note_alert(struct dtls *d, const struct dtls_sorted *sorted)
{
	if (!sorted->alert || d->alert)
		return;
	d->alert = true;
	d->alert_again = false;
	d->description = sorted->description;
}

/* ICMP says that nobody listens there, which anybody can say: worth the next address when there is one, and nothing
 * more. */
void dtls_note_refusal(struct dtls *d)
{
	if (d->sec.ssl && d->head.state == ASSOC_BUSY && !d->sec.messages && d->head.srv->addrs_n > 1)
		failed(d, SECURE_TIMEOUT, "nobody listens at the address of the server");
}
