/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_plain.c - the transport TCP: nothing lies between stream and socket */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "north/tcp.h"

static ssize_t failed(struct tcp_end *end, int err)
{
	*end = (struct tcp_end){ .result = err == ETIMEDOUT ? TCP_SILENT : TCP_CLOSED };
	snprintf(end->why, sizeof end->why, "%s", err ? strerror(err) : "closed by the server");
	return TCP_ENDED;
}

static bool is_for_later(int err)
{
	return err == EAGAIN || err == EINTR || err == ENOBUFS || err == ENOMEM;
}

static ssize_t plain_read(struct tcp_assoc *t, void *buf, size_t size, struct tcp_end *end)
{
	ssize_t n = recv(t->a.fd, buf, size, MSG_DONTWAIT);

	if (n > 0)
		return n;
	if (n < 0 && is_for_later(errno))
		return TCP_WANT_READ;
	return failed(end, n ? errno : 0);
}

static ssize_t plain_write(struct tcp_assoc *t, const void *data, size_t len, struct tcp_end *end)
{
	ssize_t n = send(t->a.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		return n;
	return is_for_later(errno) ? TCP_WANT_WRITE : failed(end, errno);
}

static void plain_good(struct tcp_assoc *t)
{
	(void)t;
}

static void plain_drop(struct tcp_assoc *t, bool polite)
{
	(void)t;
	(void)polite;
}

const struct tcp_io tcp_plain_io = { .read = plain_read, .write = plain_write, .good = plain_good, .drop = plain_drop };

const struct north_transport tcp_transport = {
	.scheme = "coap+tcp",
	.stream = true,
	.paced = true,
	.size = sizeof(struct tcp_assoc),
	.open = tcp_open,
	.connect = tcp_connect,
	.send = tcp_send,
	.ready = tcp_ready,
	.close = tcp_close,
	.renew = tcp_renew,
	.message_max = tcp_message_max,
	.blockwise = tcp_blockwise,
};
