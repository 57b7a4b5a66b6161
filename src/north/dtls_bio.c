/* SPDX-License-Identifier: Apache-2.0 */
/* dtls_bio.c - datagrams between OpenSSL and the socket of an association
 *
 * A datagram is received and looked at before OpenSSL gets it, and it gets one per turn. On the way out one that the
 * kernel does not take is a lost one, as on any network; who sends is told by n->send_err.
 */
#include <openssl/bio.h>

#include <string.h>

#include "north/dtls.h"

enum { OVERHEAD = 48 }; /* of IPv6 and UDP */

static void send_flight(struct north_assoc *a)
{
	struct north *n = a->srv->north;

	if (n->flight_len)
		n->send_err = udp_assoc_send(a, n->flight, n->flight_len);
	n->flight_len = 0;
}

static int bio_write(BIO *b, const char *data, int len)
{
	struct north_assoc *a = BIO_get_data(b);
	struct north *n = a->srv->north;
	const size_t size = (size_t)len;

	BIO_clear_retry_flags(b);
	if (!n->gather || size > sizeof n->flight) {
		send_flight(a);
		n->send_err = udp_assoc_send(a, (const uint8_t *)data, size);
		return len;
	}
	if (n->flight_len + size > sizeof n->flight)
		send_flight(a);
	memcpy(n->flight + n->flight_len, data, size);
	n->flight_len += size;
	return len;
}

static int bio_read(BIO *b, char *data, int size)
{
	struct north *n = ((struct north_assoc *)BIO_get_data(b))->srv->north;
	size_t len = n->datagram_len;

	BIO_clear_retry_flags(b);
	if (!len || size <= 0) {
		BIO_set_retry_read(b);
		return -1;
	}
	if (len > (size_t)size) /* no record of a peer that keeps to the protocol is as long */
		len = (size_t)size;
	memcpy(data, n->buf, len);
	n->datagram_len = 0;
	return (int)len;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)num;
	(void)ptr;
	switch (cmd) {
	case BIO_CTRL_FLUSH: /* the end of a flight */
		send_flight(BIO_get_data(b));
		return 1;
	case BIO_CTRL_PENDING:
		return (long)((struct north_assoc *)BIO_get_data(b))->srv->north->datagram_len;
	case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD:
		return OVERHEAD;
	default:
		return 0;
	}
}

int dtls_handshake(struct north_assoc *a, SSL *ssl)
{
	struct north *n = a->srv->north;
	int ret;

	n->gather = true;
	n->flight_len = 0;
	ret = SSL_do_handshake(ssl);
	send_flight(a);
	n->gather = false;
	return ret;
}

long dtls_resend(struct north_assoc *a, SSL *ssl)
{
	struct north *n = a->srv->north;
	long ret;

	n->gather = true;
	n->flight_len = 0;
	ret = DTLSv1_handle_timeout(ssl);
	send_flight(a);
	n->gather = false;
	return ret;
}

BIO_METHOD *dtls_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "association");

	if (!m || !BIO_meth_set_write(m, bio_write) || !BIO_meth_set_read(m, bio_read) ||
	    !BIO_meth_set_ctrl(m, bio_ctrl)) {
		BIO_meth_free(m);
		return NULL;
	}
	return m;
}

BIO *dtls_bio(struct north_assoc *a)
{
	struct north *n = a->srv->north;
	BIO *b;

	if (!n->bio_method)
		n->bio_method = dtls_bio_method();
	b = n->bio_method ? BIO_new(n->bio_method) : NULL;
	if (!b)
		return NULL;
	BIO_set_data(b, a);
	BIO_set_init(b, 1);
	return b;
}
