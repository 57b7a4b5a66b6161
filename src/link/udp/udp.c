/* SPDX-License-Identifier: Apache-2.0 */
/* udp.c - the operator's point-to-point tunnel: a datagram is a unit, its source is the device
 *
 * The network vouches for source addresses inside the tunnel (3GPP TS 29.061, SGi), so they are the identity. Opening,
 * closing and the table of operations; table.c knows the devices, recv.c and send.c move datagrams.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "link/udp/inside.h"

enum { SOCKET_BUFFER = 4 << 20 };

/* ---- socket ---- */

/* More than the system's limit needs a capability; without it the limit is what there is. */
static void set_buffer(int fd, int forced, int plain)
{
	int size = SOCKET_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size))
		(void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size);
}

static int set_options(const struct udp_link *l)
{
	int on = 1, off = 0;
	bool v6 = l->listen.u.sa.sa_family == AF_INET6;

	set_buffer(l->fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(l->fd, SO_SNDBUFFORCE, SO_SNDBUF);
	(void)setsockopt(l->fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
	if (v6 && setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off))
		return -errno;
	if (l->any &&
	    setsockopt(l->fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVPKTINFO : IP_PKTINFO, &on, sizeof on))
		return -errno;
	return 0;
}

static int open_socket(struct udp_link *l, const char *listen)
{
	int err;

	if (addr_parse(&l->listen, listen, true))
		return -EBADMSG;
	l->any = udp_is_any(&l->listen);
	l->fd = socket(l->listen.u.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	if (l->fd < 0)
		return -errno;
	err = set_options(l);
	if (!err && bind(l->fd, &l->listen.u.sa, l->listen.len))
		err = -errno;
	return err;
}

/* ---- open and close ---- */

static void on_ready(void *arg, int fd, unsigned what)
{
	struct udp_link *l = arg;

	(void)fd;
	if (what & LOOP_WRITE)
		udp_writable(l);
	if (what & LOOP_READ)
		udp_receive(l);
}

void udp_link_free(struct udp_link *l)
{
	udp_ups_free(l);
	free(l->out);
	free(l);
}

static void udp_close(struct link *link, bool stop)
{
	struct udp_link *l = (struct udp_link *)link;

	(void)stop;
	if (!l)
		return;
	if (l->hook.fn) {
		udp_flush(l);
		loop_hook_remove(l->env.loop, &l->hook);
	}
	loop_unwatch(l->watch);
	if (l->fd >= 0)
		close(l->fd);
	map_fini(&l->devices);
	udp_keep_free(l);
	l->closed = true;
	if (!l->ups_out) /* else with the last verdict */
		udp_link_free(l);
}

static void register_metrics(struct udp_link *l)
{
	char value[300], label[320];

	snprintf(label, sizeof label, "peer=\"%s\"", metrics_label(value, sizeof value, l->base.conf->head.name));
	l->overflow = metrics_counter(l->env.metrics, "link_udp_overflow_total", label,
				      "Datagrams the kernel dropped because its buffer was full");
}

static int start(struct udp_link *l, const struct udp_conf *conf)
{
	int err = open_socket(l, conf->listen);

	if (!err)
		err = loop_watch(l->env.loop, &l->watch, l->fd, LOOP_READ, on_ready, l);
	if (err)
		return err;
	l->hook = (struct loop_hook){ .fn = udp_flush, .arg = l };
	loop_hook_add(l->env.loop, &l->hook);
	return 0;
}

static int udp_open(struct link **out, const struct link_conf *conf, const struct link_env *env)
{
	const struct udp_conf *u = (const struct udp_conf *)conf;
	struct udp_link *l = calloc(1, sizeof *l);
	int err = -ENOMEM;

	if (!l)
		return err;
	l->env = *env;
	l->fd = -1;
	l->out = calloc(1, sizeof *l->out);
	if (l->out) {
		link_init(&l->base, &link_udp_ops, conf, env);
		register_metrics(l);
		udp_recv_init(l);
		err = udp_keep_load(l);
		if (!err)
			err = start(l, u);
	}
	if (err) {
		log_ev(LOG_ERROR, "link", "open.failed", LF_STR("link", conf->head.name), LF_STR("listen", u->listen),
		       LF_STR("error", strerror(-err)));
		udp_close(&l->base, true);
		return err;
	}
	l->since_wall_ms = clock_wall_ms();
	log_ev(LOG_INFO, "link", "open", LF_STR("link", conf->head.name), LF_STR("listen", u->listen));
	*out = &l->base;
	return 0;
}

static bool read_listen(struct addr *out, const struct link_conf *conf)
{
	return !addr_parse(out, ((const struct udp_conf *)conf)->listen, true);
}

static bool udp_keeps(const struct link *link, const struct link_conf *conf)
{
	const struct udp_link *l = (const struct udp_link *)link;
	struct addr listen;

	return read_listen(&listen, conf) && addr_equal(&listen, &l->listen, true);
}

static bool udp_blocks(const struct link *link, const struct link_conf *conf)
{
	const struct udp_link *l = (const struct udp_link *)link;
	struct addr listen;

	return read_listen(&listen, conf) && udp_listens_overlap(&listen, &l->listen);
}

static int udp_reconf(struct link *link, const struct link_conf *conf)
{
	if (!udp_keeps(link, conf))
		return -EBUSY;
	link->conf = conf;
	return 0;
}

/* ---- for people ---- */

static void udp_status(const struct link *link, struct link_status *st)
{
	const struct udp_link *l = (const struct udp_link *)link;
	char text[ADDR_TEXT_MAX];

	*st = (struct link_status){ .state = "up", .since_wall_ms = l->since_wall_ms };
	addr_format(&l->listen, text, sizeof text);
	snprintf(st->detail, sizeof st->detail, "listens on %s, %zu devices", text, l->devices.count);
	if (l->heard_ms)
		st->last_ok_wall_ms = clock_wall_ms() - (clock_now_ms() - l->heard_ms);
}

static size_t udp_describe(const struct link_dev *dev, char *buf, size_t size)
{
	const struct udp_dev *d = (const struct udp_dev *)dev;
	char text[ADDR_TEXT_MAX];
	struct addr a;
	int n;

	if (!d->port)
		return 0; /* the configured address is all there is to say */
	udp_dev_address(d, &a);
	addr_format(&a, text, sizeof text);
	n = snprintf(buf, size, "\"reached_at\":\"%s\"", text);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

const struct link_ops link_udp_ops = {
	.name = "udp",
	.items = link_udp_items,
	.conf_size = sizeof(struct udp_conf),
	.check = link_udp_check,
	.open = udp_open,
	.keeps = udp_keeps,
	.blocks = udp_blocks,
	.reconf = udp_reconf,
	.attach = udp_attach,
	.find = udp_find_device,
	.detach = udp_detach,
	.set_mtu = udp_set_mtu,
	.send = udp_send,
	.cancel = udp_cancel,
	.status = udp_status,
	.describe = udp_describe,
	.close = udp_close,
};
