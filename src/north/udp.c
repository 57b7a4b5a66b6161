/* SPDX-License-Identifier: Apache-2.0 */
/* udp.c - associations over UDP: one connected socket each
 *
 * A connected socket gets only what its server sent, and learns of ICMP errors. Each socket gives one datagram per
 * turn, so a flood to one port takes no more of the loop than one of its neighbours does.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "north/parts.h"

enum { LOG_EVERY_MS = 10000, MESSAGE_MAX = 65507 };

int udp_assoc_open(struct north_assoc *a, const char *who, uint16_t port)
{
	int err = udp_assoc_claim(a, who, port);

	if (err || a->fd < 0)
		return err;
	if (!udp_assoc_attach(a))
		return 1;
	close(a->fd); /* no route at the moment: tried again like one whose address is not known */
	a->fd = -1;
	return 0;
}

static int udp_connect(struct north_assoc *a)
{
	int err = udp_assoc_connect(a);

	return err ? err : 1;
}

int udp_assoc_send(struct north_assoc *a, const uint8_t *data, size_t len)
{
	struct north *n = a->srv->north;
	uint64_t held;

	for (int i = 0; i < 2; i++) {
		if (send(a->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != ECONNREFUSED)
			break;
		assoc_refused(a); /* of an earlier datagram: the kernel reports it and drops this one, so once more */
	}
	if (errno == EMSGSIZE)
		return -EMSGSIZE;
	++*a->srv->send_failed;
	if (errno != EAGAIN && errno != ENOBUFS && log_limit(&n->send_limit, clock_now_ms(), LOG_EVERY_MS, &held))
		log_ev(LOG_WARNING, "north", "send.failed", LF_STR("server", a->srv->name),
		       LF_STR("error", strerror(errno)), LF_UINT("held", held));
	return -EAGAIN; /* a missing route, too, is for the message layer to wait out */
}

static int send_plain(struct north_assoc *a, const uint8_t *data, size_t len)
{
	return a->state == ASSOC_UP ? udp_assoc_send(a, data, len) : -ENOTCONN;
}

static void count_foreign(struct north_assoc *a, const struct addr *from)
{
	struct north *n = a->srv->north;
	char text[ADDR_TEXT_MAX];
	uint64_t held;

	++*a->srv->foreign;
	if (!log_limit(&n->foreign_limit, clock_now_ms(), LOG_EVERY_MS, &held))
		return;
	addr_format(from, text, sizeof text);
	log_ev(LOG_WARNING, "north", "foreign", LF_STR("server", a->srv->name), LF_STR("from", text),
	       LF_UINT("held", held));
}

size_t udp_assoc_receive(struct north_assoc *a)
{
	struct north *n = a->srv->north;
	struct sockaddr_storage ss;
	socklen_t ss_len = sizeof ss;
	ssize_t len = recvfrom(a->fd, n->buf, sizeof n->buf, MSG_DONTWAIT, (struct sockaddr *)&ss, &ss_len);
	struct addr from;

	if (len < 0) {
		if (errno == ECONNREFUSED)
			assoc_report_refused(a);
		return 0;
	}
	/* between bind and connect the kernel takes datagrams from anywhere */
	addr_from(&from, (struct sockaddr *)&ss, ss_len);
	if (addr_equal(&from, &a->srv->addr, true))
		return (size_t)len;
	count_foreign(a, &from);
	return 0;
}

static void udp_ready(struct north_assoc *a, uint32_t events)
{
	struct north *n = a->srv->north;
	size_t len = udp_assoc_receive(a);

	(void)events;
	if (!len)
		return;
	north_server_heard(a->srv);
	if (n->current == a)
		a->events->recv(a->arg, n->buf, len);
}

static size_t udp_message_max(const struct north_assoc *a)
{
	(void)a;
	return MESSAGE_MAX;
}

const struct north_transport udp_transport = {
	.scheme = "coap",
	.size = sizeof(struct north_assoc),
	.open = udp_assoc_open,
	.connect = udp_connect,
	.send = send_plain,
	.ready = udp_ready,
	.close = udp_assoc_release,
	.message_max = udp_message_max,
};

/* The records of a device that speaks DTLS to the server itself: the same, whatever the scheme says. */
const struct north_transport relay_transport = {
	.size = sizeof(struct north_assoc),
	.open = udp_assoc_open,
	.connect = udp_connect,
	.send = send_plain,
	.ready = udp_ready,
	.close = udp_assoc_release,
	.message_max = udp_message_max,
};
