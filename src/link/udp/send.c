/* SPDX-License-Identifier: Apache-2.0 */
/* send.c - units gathered during a pass of the loop leave together
 *
 * Order is kept over all devices. A unit that is no longer wanted stays in its place as a gap, so that nothing moves
 * while events of the units before it are being delivered.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "link/udp/inside.h"

enum { LOG_EVERY_MS = 10000 };

/* ---- out of the queue ---- */

/* Takes the first one out and tells its fate; everything may be called from the event. */
static void leave(struct udp_link *l, enum link_down_state state, enum link_cause cause)
{
	struct udp_item *it = &l->out->item[l->out->head++];
	struct udp_dev *d = it->dev;

	it->dev = NULL;
	if (!d)
		return;
	d->queued--;
	if (it->id) {
		const struct link_down_event ev = { .id = it->id, .state = state, .cause = cause };

		l->env.events->down(l->env.arg, d->base.dev, &ev);
	}
}

static bool is_over(const struct udp_item *it, uint64_t now_ms)
{
	return !it->dev || (it->deadline_ms && it->deadline_ms < now_ms);
}

static void skip_what_is_over(struct udp_link *l, uint64_t now_ms)
{
	struct udp_queue *q = l->out;

	while (q->head < q->tail && is_over(&q->item[q->head], now_ms))
		leave(l, LINK_DOWN_FAILED, LINK_CAUSE_EXPIRED);
}

static unsigned run_length(const struct udp_queue *q, uint64_t now_ms)
{
	unsigned n = 0;

	while (q->head + n < q->tail && n < UDP_OUT_BATCH && !is_over(&q->item[q->head + n], now_ms))
		n++;
	return n;
}

/* The kernel refused the first one. False: wait until it is writable. */
static bool refused(struct udp_link *l, int error)
{
	uint64_t held;

	if (error == EAGAIN) {
		l->out->blocked = true;
		loop_rewatch(l->watch, LOOP_READ | LOOP_WRITE);
		return false;
	}
	if (log_limit(&l->send_limit, clock_now_ms(), LOG_EVERY_MS, &held))
		log_ev(LOG_WARNING, "link", "send.failed", LF_STR("link", l->base.conf->head.name),
		       LF_STR("error", strerror(error)), LF_UINT("held", held));
	leave(l, LINK_DOWN_FAILED, error == EMSGSIZE ? LINK_CAUSE_TOO_LARGE : LINK_CAUSE_TEMPORARY);
	return true;
}

void udp_flush(void *link)
{
	struct udp_link *l = link;
	struct udp_queue *q = l->out;
	uint64_t now_ms = clock_now_ms();

	if (q->flushing || q->head == q->tail)
		return;
	q->flushing = true;
	while (!q->blocked && (skip_what_is_over(l, now_ms), q->head < q->tail)) {
		int n = sendmmsg(l->fd, q->msg + q->head, run_length(q, now_ms), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR && !refused(l, errno))
			break;
		for (; n > 0; n--)
			leave(l, LINK_DOWN_SENT, LINK_CAUSE_NONE);
	}
	q->flushing = false;
	if (q->head == q->tail) {
		q->head = q->tail = 0;
		q->used = 0;
	}
}

void udp_writable(struct udp_link *l)
{
	l->out->blocked = false;
	loop_rewatch(l->watch, LOOP_READ);
	udp_flush(l);
}

/* ---- into the queue ---- */

/* What is left moves to the start, after the kernel took only a part. */
static void compact(struct udp_queue *q)
{
	const uint8_t *from = q->iov[q->head].iov_base;
	size_t shift = (size_t)(from - q->bytes);
	unsigned n = q->tail - q->head;

	memmove(q->bytes, from, q->used - shift);
	q->used -= shift;
	for (unsigned i = 0; i < n; i++) {
		unsigned j = q->head + i;

		q->item[i] = q->item[j];
		q->to[i] = q->to[j];
		q->control[i] = q->control[j];
		q->iov[i] = (struct iovec){ (uint8_t *)q->iov[j].iov_base - shift, q->iov[j].iov_len };
		q->msg[i] = q->msg[j];
		q->msg[i].msg_hdr.msg_name = &q->to[i];
		q->msg[i].msg_hdr.msg_iov = &q->iov[i];
		if (q->msg[i].msg_hdr.msg_control)
			q->msg[i].msg_hdr.msg_control = &q->control[i];
	}
	q->head = 0;
	q->tail = n;
}

static bool has_room(const struct udp_queue *q, size_t len)
{
	return q->tail < UDP_OUT_MAX && q->used + len <= UDP_OUT_BYTES;
}

static bool make_room(struct udp_link *l, size_t len)
{
	struct udp_queue *q = l->out;

	if (has_room(q, len))
		return true;
	if (q->flushing)
		return false;
	udp_flush(l);
	if (q->head && q->head < q->tail)
		compact(q);
	return has_room(q, len);
}

static socklen_t write_name(struct sockaddr_in6 *to, const struct udp_link *l, const struct udp_dev *d)
{
	if (l->listen.u.sa.sa_family == AF_INET) {
		struct sockaddr_in *in = (void *)to;

		*in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(d->port) };
		memcpy(&in->sin_addr, d->key.host + 12, sizeof in->sin_addr);
		return sizeof *in;
	}
	*to = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(d->port), .sin6_scope_id = d->scope };
	memcpy(&to->sin6_addr, d->key.host, sizeof to->sin6_addr);
	return sizeof *to;
}

/* Our address as the device knows it, where the socket has more than one. */
static size_t write_control(union udp_control *c, const struct udp_link *l, const struct udp_dev *d)
{
	const struct in6_addr *local = d->local ? &l->locals[d->local - 1] : NULL;

	if (!l->any || !local)
		return 0;
	memset(c, 0, sizeof *c);
	if (l->listen.u.sa.sa_family == AF_INET) {
		struct in_pktinfo info = { 0 };

		memcpy(&info.ipi_spec_dst, &local->s6_addr[12], 4);
		c->align = (struct cmsghdr){ CMSG_LEN(sizeof info), IPPROTO_IP, IP_PKTINFO };
		memcpy(CMSG_DATA(&c->align), &info, sizeof info);
		return CMSG_SPACE(sizeof info);
	}
	struct in6_pktinfo info = { .ipi6_addr = *local };

	c->align = (struct cmsghdr){ CMSG_LEN(sizeof info), IPPROTO_IPV6, IPV6_PKTINFO };
	memcpy(CMSG_DATA(&c->align), &info, sizeof info);
	return CMSG_SPACE(sizeof info);
}

int udp_send(struct link_dev *dev, const struct link_down *how, const uint8_t *data, size_t len)
{
	struct udp_dev *d = (struct udp_dev *)dev;
	struct udp_link *l = (struct udp_link *)d->base.link;
	struct udp_queue *q = l->out;
	size_t control_len;
	unsigned i;

	if (len == 0 || len > d->mtu)
		return -EMSGSIZE;
	if (!d->port)
		return -ENOTCONN; /* a host that has not been heard yet: its port is not known */
	if (!make_room(l, len))
		return -EAGAIN;
	i = q->tail++;
	memcpy(q->bytes + q->used, data, len);
	q->iov[i] = (struct iovec){ q->bytes + q->used, len };
	q->used += len;
	control_len = write_control(&q->control[i], l, d);
	q->msg[i].msg_hdr = (struct msghdr){
		.msg_name = &q->to[i],
		.msg_namelen = write_name(&q->to[i], l, d),
		.msg_iov = &q->iov[i],
		.msg_iovlen = 1,
		.msg_control = control_len ? &q->control[i] : NULL,
		.msg_controllen = control_len,
	};
	q->item[i] = (struct udp_item){ d, how->id, how->deadline_ms };
	d->queued++;
	return 0;
}

void udp_cancel(struct link_dev *dev, uint32_t id)
{
	struct udp_dev *d = (struct udp_dev *)dev;
	struct udp_queue *q = ((struct udp_link *)d->base.link)->out;

	for (unsigned i = q->head; i < q->tail && id && d->queued; i++)
		if (q->item[i].dev == d && q->item[i].id == id) {
			q->item[i].dev = NULL;
			d->queued--;
		}
}

void udp_drop_queued(struct udp_dev *d)
{
	struct udp_queue *q = ((struct udp_link *)d->base.link)->out;

	for (unsigned i = q->head; i < q->tail && d->queued; i++)
		if (q->item[i].dev == d) {
			q->item[i].dev = NULL;
			d->queued--;
		}
}
