/* SPDX-License-Identifier: Apache-2.0 */
/* recv.c - datagrams in batches, each one a unit of the device it comes from
 *
 * One socket stands for all devices of the link, so it is drained in several batches per pass, and not in more, so that
 * links and servers beside it keep their turn. A stranger gets silence.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "link/udp/inside.h"

enum { LOG_EVERY_MS = 10000 };

void udp_recv_init(struct udp_link *l)
{
	for (unsigned i = 0; i < UDP_IN_BATCH; i++) {
		l->in_iov[i] = (struct iovec){ l->in_data[i], UDP_BUFFER };
		l->in[i].msg_hdr = (struct msghdr){
			.msg_name = &l->in_from[i],
			.msg_namelen = sizeof l->in_from[i],
			.msg_iov = &l->in_iov[i],
			.msg_iovlen = 1,
			.msg_control = &l->in_control[i],
			.msg_controllen = sizeof l->in_control[i],
		};
	}
}

/* ---- units on their way up ---- */

static void put_up(struct udp_link *l, struct udp_up *u)
{
	u->next = l->ups;
	l->ups = u;
	l->ups_out--;
	if (l->closed && !l->ups_out)
		udp_link_free(l);
}

/* Nobody waits for an answer on this link, whatever the verdict is. */
static void on_verdict(struct link_up *up, enum link_verdict v)
{
	struct udp_up *u = container_of(up, struct udp_up, up);

	(void)v;
	put_up(u->link, u);
}

static struct udp_up *take_up(struct udp_link *l)
{
	struct udp_up *u = l->ups;

	if (u)
		l->ups = u->next;
	else if (l->ups_out < UDP_UPS_MAX)
		u = malloc(sizeof *u);
	if (!u)
		return NULL;
	l->ups_out++;
	u->link = l;
	u->up = (struct link_up){
		.verdict = on_verdict, .arrival_ms = clock_now_ms(), .port_ue = -1, .port_scef = -1
	};
	return u;
}

void udp_ups_free(struct udp_link *l)
{
	struct udp_up *u;

	while ((u = l->ups)) {
		l->ups = u->next;
		free(u);
	}
}

/* ---- what came beside a datagram ---- */

static void note_local(struct udp_link *l, struct udp_dev *d, const struct in6_addr *local)
{
	if (d->local && !memcmp(&l->locals[d->local - 1], local, sizeof *local))
		return;
	d->local = 0;
	for (unsigned i = 0; i < l->locals_n && !d->local; i++)
		if (!memcmp(&l->locals[i], local, sizeof *local))
			d->local = (uint8_t)(i + 1);
	if (!d->local && l->locals_n < UDP_LOCALS) {
		l->locals[l->locals_n++] = *local;
		d->local = (uint8_t)l->locals_n;
	}
}

static void note_v4_local(struct udp_link *l, struct udp_dev *d, const struct in_pktinfo *info)
{
	struct in6_addr local = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	memcpy(&local.s6_addr[12], &info->ipi_spec_dst, 4);
	note_local(l, d, &local);
}

static void note_overflow(struct udp_link *l, uint32_t dropped)
{
	*l->overflow += dropped - l->overflow_seen; /* the kernel counts from the socket's start, in 32 bits */
	l->overflow_seen = dropped;
}

/* d NULL: the sender is not known. */
static void read_control(struct udp_link *l, struct udp_dev *d, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
			uint32_t dropped;

			memcpy(&dropped, CMSG_DATA(c), sizeof dropped);
			note_overflow(l, dropped);
		} else if (d && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			note_v4_local(l, d, (const void *)CMSG_DATA(c));
		} else if (d && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			note_local(l, d, &((const struct in6_pktinfo *)(const void *)CMSG_DATA(c))->ipi6_addr);
		}
	}
}

/* ---- one datagram ---- */

static void log_unknown(struct udp_link *l, const struct sockaddr_in6 *from)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;
	uint64_t held;

	if (!log_limit(&l->unknown_limit, clock_now_ms(), LOG_EVERY_MS, &held))
		return;
	addr_from(&a, (const struct sockaddr *)from, sizeof *from);
	addr_format(&a, text, sizeof text);
	log_ev(LOG_WARNING, "link", "unknown_device", LF_STR("link", l->base.conf->head.name), LF_STR("from", text),
	       LF_UINT("held", held));
}

/* Asks upward for a device for this host. */
static struct udp_dev *make_known(struct udp_link *l, const struct udp_key *source)
{
	struct udp_dev host = { .key = *source };
	char text[ADDR_TEXT_MAX];
	struct addr a;

	udp_dev_address(&host, &a);
	if (a.u.sa.sa_family == AF_INET)
		inet_ntop(AF_INET, &a.u.in.sin_addr, text, sizeof text);
	else
		inet_ntop(AF_INET6, &a.u.in6.sin6_addr, text, sizeof text);
	const struct link_identity id = { LINK_ID_ADDRESS, text, 0 };

	return l->env.events->unknown(l->env.arg, &l->base, &id) ? udp_find(l, source) : NULL;
}

static void unit(struct udp_link *l, struct mmsghdr *m, const struct sockaddr_in6 *from, const uint8_t *data)
{
	bool too_big = (m->msg_hdr.msg_flags & MSG_TRUNC) || m->msg_len > UDP_UNIT_MAX;
	struct udp_key source;
	struct udp_dev *d;
	struct udp_up *u;

	udp_key_of(&source, from);
	l->base.unknown_later = false;
	d = udp_find(l, &source);
	if (!d && m->msg_len && !too_big)
		d = make_known(l, &source);
	if (m->msg_hdr.msg_controllen)
		read_control(l, d, &m->msg_hdr);
	if (too_big || !d) {
		link_count(&l->base,
			   too_big                         ? LINK_RES_TOO_BIG
				   : l->base.unknown_later ? LINK_RES_DROPPED
							   : LINK_RES_UNKNOWN_DEVICE);
		if (!d && !l->base.unknown_later)
			log_unknown(l, from);
		return;
	}
	d->scope = from->sin6_family == AF_INET6 ? from->sin6_scope_id : 0;
	if (d->port != source.port) {
		d->port = source.port;
		udp_keep_port(l, d);
	}
	l->heard_ms = clock_now_ms();
	u = take_up(l);
	if (u)
		l->env.events->uplink(l->env.arg, &u->up, d->base.dev, data, m->msg_len);
	else
		link_count(&l->base, LINK_RES_DROPPED);
}

void udp_receive(struct udp_link *l)
{
	int n = UDP_IN_BATCH;

	for (int round = 0; round < UDP_ROUNDS && n == UDP_IN_BATCH; round++) {
		n = recvmmsg(l->fd, l->in, UDP_IN_BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++) {
			unit(l, &l->in[i], &l->in_from[i], l->in_data[i]);
			l->in[i].msg_hdr.msg_namelen = sizeof l->in_from[i];
			l->in[i].msg_hdr.msg_controllen = sizeof l->in_control[i];
		}
	}
}
