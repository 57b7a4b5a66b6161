/* SPDX-License-Identifier: Apache-2.0 */
/* dtls.c - associations over DTLS 1.2: one connected socket and one client of OpenSSL each
 *
 * An association connects by itself, and again when it was lost: with back-off after a handshake that failed, at once
 * when messages go unanswered, with the next message when the server closed it. Its socket and port stay over all of
 * that.
 *
 * An idle one has no timer, and no buffers of OpenSSL: those are taken back before OpenSSL is called, which would write
 * into buffers that are not there (3.0) when it wants to send an alert or a retransmission.
 */
#include "north/dtls.h"

#include <errno.h>
#include <openssl/err.h>

enum { MESSAGE_MAX = 4096 }; /* see SEND_FRAGMENT */

static struct dtls *dtls_of(struct north_assoc *a)
{
	return (struct dtls *)a;
}

/* ---- the end of one ---- */

static void say_goodbye(struct dtls *d)
{
	if (!d->sec.ssl || d->head.state != ASSOC_UP || !SSL_alloc_buffers(d->sec.ssl))
		return;
	(void)SSL_shutdown(d->sec.ssl);
	ERR_clear_error();
}

/* From here on nothing runs for it. */
static void stop(struct dtls *d)
{
	timer_cancel(dtls_timers(d), &d->timer);
	server_slot_free(&d->head);
	secure_drop(&d->sec);
}

static void ended(struct dtls *d, enum assoc_state state, const char *why)
{
	log_ev(LOG_INFO, "north", "assoc.ended", LF_STR("dev", d->sec.who), LF_STR("server", d->head.srv->name),
	       LF_STR("reason", why));
	say_goodbye(d);
	stop(d);
	assoc_end(&d->head, state);
}

/* ---- transport ---- */

static int dtls_open(struct north_assoc *a, const char *who, uint16_t port)
{
	struct dtls *d = dtls_of(a);
	int err = secure_init(&d->sec, who);

	if (!err)
		err = udp_assoc_open(a, who, port);
	if (err < 0)
		secure_fini(a, &d->sec);
	if (err > 0)
		d->address = a->srv->addresses;
	return err < 0 ? err : 0; /* connected or not: the handshake is still to come */
}

static int dtls_connect(struct north_assoc *a)
{
	struct dtls *d = dtls_of(a);
	const bool was_up = a->state == ASSOC_UP, was_lost = a->state == ASSOC_LOST;
	int err;

	if (was_up)
		ended(d, ASSOC_BUSY, "the address of the server, or the way to it, is another one");
	err = d->address == a->srv->addresses ? 0 : udp_assoc_connect(a);
	if (err)
		return err;
	d->address = 0; /* from now on each time: the way there may be another one */
	if (was_lost)   /* and nobody has asked for it since */
		server_slot_free(a);
	else
		dtls_begin(d);
	return 0;
}

static int dtls_send(struct north_assoc *a, const uint8_t *data, size_t len)
{
	struct dtls *d = dtls_of(a);
	struct north *n = a->srv->north;
	int ret;

	if (a->state == ASSOC_LOST)
		assoc_want(a);
	if (a->state != ASSOC_UP)
		return a->state == ASSOC_DENIED ? -EACCES : -ENOTCONN;
	if (len > MESSAGE_MAX)
		return -EMSGSIZE;
	if (!SSL_alloc_buffers(d->sec.ssl))
		return -EAGAIN;
	n->send_err = 0;
	ret = SSL_write(d->sec.ssl, data, (int)len);
	if (ret <= 0) {
		char why[160];

		(void)secure_outcome(&d->sec, ret, why, sizeof why);
		ended(d, ASSOC_LOST, why);
		return -ENOTCONN;
	}
	SSL_free_buffers(d->sec.ssl);
	return n->send_err;
}

/* All that the datagram has for the owner; true when it had something. The association may be closed meanwhile, or its
 * session end: n->current and the SSL tell. */
static bool read_all(struct dtls *d)
{
	struct north_assoc *a = &d->head;
	struct north *n = a->srv->north;
	SSL *ssl = d->sec.ssl;
	bool any = false;
	char why[160];
	int ret;

	if (!SSL_alloc_buffers(ssl))
		return false;
	while ((ret = SSL_read(ssl, n->plain, sizeof n->plain)) > 0) {
		any = true;
		d->unanswered = 0;
		north_server_heard(a->srv);
		if (n->current != a || d->sec.ssl != ssl)
			return true;
		a->events->recv(a->arg, n->plain, (size_t)ret);
		if (n->current != a || d->sec.ssl != ssl)
			return true;
		if (!SSL_alloc_buffers(ssl)) /* an answer that was sent has given them away */
			return true;
	}
	if (SSL_get_error(ssl, ret) == SSL_ERROR_WANT_READ) {
		ERR_clear_error();
		SSL_free_buffers(ssl);
		return any;
	}
	(void)secure_outcome(&d->sec, ret, why, sizeof why);
	ended(d, ASSOC_LOST, why);
	return true;
}

static void dtls_ready(struct north_assoc *a, uint32_t events)
{
	struct dtls *d = dtls_of(a);
	struct north *n = a->srv->north;
	uint64_t *const dropped = a->srv->dropped;
	const uint64_t refused = *a->srv->refused;
	struct dtls_sorted sorted;
	size_t len = udp_assoc_receive(a);

	(void)events;
	if (n->current != a)
		return;
	if (!len) {
		if (*a->srv->refused != refused)
			dtls_note_refusal(d);
		return;
	}
	if (!d->sec.ssl) {
		++*dropped;
		return;
	}
	n->datagram_len = dtls_sort(n->buf, len, a->state != ASSOC_UP, &sorted);
	*dropped += sorted.dropped;
	dtls_note_alert(d, &sorted);
	if (!n->datagram_len || !SSL_alloc_buffers(d->sec.ssl))
		return;
	if (a->state == ASSOC_UP) {
		*dropped += !read_all(d);
	} else {
		dtls_step(d);
		if (n->current == a && a->state == ASSOC_UP) /* what came in the same datagram, or before its turn */
			(void)read_all(d);
	}
	n->datagram_len = 0;
}

static void dtls_close(struct north_assoc *a)
{
	struct dtls *d = dtls_of(a);

	say_goodbye(d);
	timer_cancel(dtls_timers(d), &d->timer);
	secure_fini(a, &d->sec);
	udp_assoc_release(a);
}

static void dtls_unanswered(struct north_assoc *a)
{
	struct dtls *d = dtls_of(a);

	if (a->state == ASSOC_UP && ++d->unanswered >= a->srv->conf->dead_after)
		ended(d, ASSOC_WAITING, "messages are not answered any more");
}

static void dtls_renew(struct north_assoc *a)
{
	struct dtls *d = dtls_of(a);

	if (d->sec.ssl || !timer_is_set(&d->timer))
		return;
	timer_cancel(dtls_timers(d), &d->timer);
	d->sec.backoff_ms = 0;
	assoc_want(a);
}

static struct secure *dtls_secure(struct north_assoc *a)
{
	return &dtls_of(a)->sec;
}

static size_t dtls_message_max(const struct north_assoc *a)
{
	(void)a;
	return MESSAGE_MAX;
}

const struct north_transport dtls_transport = {
	.scheme = "coaps",
	.paced = true,
	.size = sizeof(struct dtls),
	.open = dtls_open,
	.connect = dtls_connect,
	.send = dtls_send,
	.ready = dtls_ready,
	.close = dtls_close,
	.unanswered = dtls_unanswered,
	.renew = dtls_renew,
	.secure = dtls_secure,
	.message_max = dtls_message_max,
};
