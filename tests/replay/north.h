/* SPDX-License-Identifier: Apache-2.0 */
/* north.h - what the two files of the north side of a scenario share */
#ifndef NIDDGW_REPLAY_NORTH_H
#define NIDDGW_REPLAY_NORTH_H

#include "replay.h"

#define RESULTS_MAX 64
#define UNACKED_MAX 64
#define STREAM_MAX 32768 /* octets that a stream's server takes unless the scenario says otherwise */

struct north_server {
	struct north_server *next;
	const struct server_conf *conf;
	struct north_assoc *assocs;
	char name[64];
	north_local_fn *local; /* the gateway itself */
	bool down, silent, denied, stream;
	int results[RESULTS_MAX], always;
	unsigned results_n, results_at;
};

/* Ids of messages that are to be acknowledged. */
struct unacked {
	uint16_t mids[UNACKED_MAX];
	unsigned n;
};
struct north_assoc {
	struct north_assoc *next;
	struct north_server *srv;
	const struct north_events *events;
	void *arg;
	char who[160];
	uint16_t port;
	uint16_t next_mid;               /* of what a stream's server says */
	bool lost, wanted;               /* wanted: something was to be sent while it was lost */
	bool ends;                       /* NORTH_DOWN is due */
	bool blockwise;
	size_t max;
	unsigned unanswered, tried;      /* tried: messages that found it denied */
	struct unacked written, unsure;  /* requests; what a Pong will confirm */
};

struct north_server *server_of(const char *name);
struct north_assoc *assoc_of(struct north_server *s, const char *who);
void tell_all(struct north_server *s, enum north_event ev);

/* ---- ways.c ---- */
int way_refuses(struct north_assoc *a, size_t len); /* what keeps a message from being sent: a negative errno */
void stream_sent(struct north_assoc *a, const uint8_t *data, size_t len);
void stream_number(struct north_assoc *a, uint8_t *data, size_t len); /* of the server: its id, which no stream has */
bool way_command(struct north_server *s, const struct words *w, const char *verb);

#endif
