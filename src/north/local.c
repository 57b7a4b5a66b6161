/* SPDX-License-Identifier: Apache-2.0 */
/* local.c - a server that is the gateway itself
 *
 * What is sent to it is handed to a function in the same process: no socket, no port, no address, never down.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "north/parts.h"

enum { MESSAGE_MAX = 65507 };

static int local_open(struct north_assoc *a, const char *who, uint16_t port)
{
	(void)a;
	(void)who;
	(void)port;
	return 1;
}

static int local_connect(struct north_assoc *a)
{
	(void)a;
	return 1;
}

static int local_send(struct north_assoc *a, const uint8_t *data, size_t len)
{
	if (len > MESSAGE_MAX)
		return -EMSGSIZE;
	a->srv->local(a->arg, data, len);
	return 0;
}

static void local_ready(struct north_assoc *a, uint32_t events)
{
	(void)a; /* it has no descriptor */
	(void)events;
}

static void local_close(struct north_assoc *a)
{
	(void)a;
}

static size_t local_message_max(const struct north_assoc *a)
{
	(void)a;
	return MESSAGE_MAX;
}

const struct north_transport local_transport = {
	.size = sizeof(struct north_assoc),
	.open = local_open,
	.connect = local_connect,
	.send = local_send,
	.ready = local_ready,
	.close = local_close,
	.message_max = local_message_max,
};

int north_local_open(struct north_server **out, struct north *n, const struct server_conf *conf, north_local_fn *send)
{
	struct north_server *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->name = strdup(conf->head.name);
	if (!s->name) {
		free(s);
		return -ENOMEM;
	}
	s->north = n;
	s->conf = conf;
	s->kind = NORTH_LOCAL;
	s->local = send;
	s->numeric = true; /* nothing to look up */
	assoc_list_init(&s->waiting);
	assoc_list_init(&s->open);
	*out = s;
	return 0;
}
