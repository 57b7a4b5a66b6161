/* SPDX-License-Identifier: Apache-2.0 */
/* north_rest.h - functions of north.h that the fakes of these tests have no use for: one server over UDP, no relays */
#ifndef NIDDGW_TESTS_NORTH_REST_H
#define NIDDGW_TESTS_NORTH_REST_H

#include <errno.h>

#include "north/north.h"

bool north_server_is_stream(const struct north_server *s)
{
	(void)s;
	return false;
}

bool north_server_is_forbidden(const struct north_server *s)
{
	(void)s;
	return false;
}

size_t north_assoc_message_max(const struct north_assoc *a)
{
	(void)a;
	return 65507;
}

bool north_assoc_blockwise(const struct north_assoc *a)
{
	(void)a;
	return true;
}

void north_assoc_unanswered(struct north_assoc *a)
{
	(void)a;
}

int north_relay_open(struct north_assoc **out, struct north_server *srv, const char *who, uint16_t port,
		     const struct north_events *events, void *arg)
{
	(void)out;
	(void)srv;
	(void)who;
	(void)port;
	(void)events;
	(void)arg;
	return -EADDRNOTAVAIL;
}

#endif
