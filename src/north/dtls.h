/* SPDX-License-Identifier: Apache-2.0 */
/* dtls.h - what the files of DTLS share: records, the way of datagrams in and out of OpenSSL, the association */
#ifndef NIDDGW_NORTH_DTLS_H
#define NIDDGW_NORTH_DTLS_H

#include "north/secure.h"

/* ---- dtls_record.c ---- */
struct dtls_sorted {
	unsigned dropped;    /* records, and the rest of a datagram that is none */
	bool alert;          /* a fatal one without protection, during a handshake */
	uint8_t description; /* of it */
};
/* Takes out of a datagram, in place, what OpenSSL must not see: handshake tells whether one is running. Returns the octets left. */
size_t dtls_sort(uint8_t *data, size_t len, bool handshake, struct dtls_sorted *out);

/* ---- dtls_bio.c ---- */
BIO_METHOD *dtls_bio_method(void); /* owned, BIO_meth_free(); NULL: no memory */
/* A BIO that sends on the socket of the association, and reads what n->datagram has for it. Owned; NULL: no memory. */
BIO *dtls_bio(struct north_assoc *a);
/* SSL_do_handshake(), DTLSv1_handle_timeout(), with all records of a flight in as few datagrams as they fit in. */
int dtls_handshake(struct north_assoc *a, SSL *ssl);
long dtls_resend(struct north_assoc *a, SSL *ssl);

/* ---- the association ---- */
struct dtls {
	struct north_assoc head; /* first */
	struct secure sec;
	struct timer timer;      /* retransmission, deadline, or the next try */
	uint64_t deadline_ms;    /* of the handshake that runs */
	uint64_t slot_ms;        /* until when it counts as one that keeps the server busy */
	unsigned address;        /* the server's address (its addresses) that the socket was connected to when it was opened; 0: to none */
	uint8_t unanswered;      /* messages of the owner since anything was heard */
	bool alert, alert_again; /* one without protection was seen, and a retransmission has gone out since */
	uint8_t description;
};
static inline struct timers *dtls_timers(const struct dtls *d)
{
	return loop_timers(d->head.srv->north->env.loop);
}

/* ---- dtls_shake.c ---- */
/* A new handshake on the connected socket, in place of whatever was; ends in assoc_up(), assoc_end(), or tries again by itself. */
void dtls_begin(struct dtls *d);
/* As far as it goes with n->datagram. n->current is the association, and is not when it was closed meanwhile. */
void dtls_step(struct dtls *d);
void dtls_note_alert(struct dtls *d, const struct dtls_sorted *sorted);
/* ICMP says that nobody listens there, which anybody can say: worth the next address when there is one, and nothing more. */
void dtls_note_refusal(struct dtls *d);

#endif
