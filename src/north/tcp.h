/* SPDX-License-Identifier: Apache-2.0 */
/* tcp.h - what TCP and TLS towards a server have in common
 *
 * An association is one connection, made when it is needed and made again after it was lost. What stands between stream and
 * socket, nothing or TLS, is a table of a few functions.
 */
#ifndef NIDDGW_NORTH_TCP_H
#define NIDDGW_NORTH_TCP_H

#include <sys/types.h>

#include "north/parts.h"
#include "north/stream.h"

enum tcp_phase {
	TCP_IDLE,     /* no connection */
	TCP_WAIT,     /* none until the timer: back-off, or the Hold-Off of a Release */
	TCP_CONNECT,  /* the kernel is at it */
	TCP_SECURE,   /* the handshake of TLS */
	TCP_CSM,      /* the server's has not come yet */
	TCP_OPEN,
	TCP_RELEASED, /* the server wants it to end: running exchanges finish */
	TCP_LINGER,   /* over; our Abort is on its way, and what comes in is thrown away */
};

/* How an attempt or a connection ended. */
enum tcp_result {
	TCP_OK,
	TCP_REFUSED,  /* nobody listens, or there is no way to it */
	TCP_TIMEOUT,  /* no answer to our SYN, or in the handshake */
	TCP_SECURITY, /* secure.h has counted and told it */
	TCP_NO_CSM,   /* in time, or as its first message */
	TCP_PROTOCOL, /* it broke RFC 8323 */
	TCP_ABORTED,  /* by the server */
	TCP_RELEASE,  /* asked for by the server */
	TCP_CLOSED,   /* by the server or the network */
	TCP_SILENT,   /* no Pong, or it reads nothing */
	TCP_LOCAL,    /* something of this host */
	TCP_RESULT_COUNT
};
struct tcp_end {
	enum tcp_result result;
	bool denied;      /* the server's certificate or name: what waits fails */
	bool abort;       /* our Abort waits in the output */
	uint32_t wait_ms; /* before the next attempt; 0: as after any other */
	char why[200];
};

struct tcp_assoc {
	struct north_assoc a; /* first */
	struct stream s;
	struct timer timer;
	struct assoc_list dirty; /* of north.dirty; next NULL: not in it */
	char *who;               /* owned: name of the device */
	uint64_t deadline_ms;    /* of the phase */
	uint64_t hold_ms;        /* no new connection before; 0: at once */
	uint64_t active_ms;      /* octets went in or out */
	uint64_t ping_ms;        /* since when a Ping is open; 0: none is */
	uint32_t backoff_ms;     /* after the last round of attempts; 0: it was good */
	uint32_t watched;        /* events in the poll set */
	uint8_t phase;           /* enum tcp_phase */
	uint8_t tries;           /* addresses that have failed in this round */
	uint8_t failing;         /* enum tcp_result of the last warning */
	bool wanted;             /* something waits for a connection */
	bool held_off;           /* hold_ms is of a Release */
	bool mute;               /* nothing goes out any more: what has come in is read, and then it ends */
	bool proven;             /* the server has said more than its CSM */
};

enum { TCP_WANT_READ = -1001, TCP_WANT_WRITE = -1002, TCP_ENDED = -1003 }; /* beside negative errnos */

/* What lies on the socket. end is zeroed by the caller and filled in with TCP_ENDED. */
struct tcp_io {
	int (*begin)(struct tcp_assoc *t, struct tcp_end *end); /* the socket is connected. 0: shake() comes next; TCP_ENDED */
	int (*shake)(struct tcp_assoc *t, struct tcp_end *end); /* 0: the stream may begin; TCP_WANT_*; TCP_ENDED. NULL: nothing to do */
	ssize_t (*read)(struct tcp_assoc *t, void *buf, size_t size, struct tcp_end *end); /* octets, TCP_WANT_*, TCP_ENDED */
	ssize_t (*write)(struct tcp_assoc *t, const void *data, size_t len, struct tcp_end *end);
	void (*late)(struct tcp_assoc *t, struct tcp_end *end); /* shake() was not through in time. NULL as shake is */
	void (*good)(struct tcp_assoc *t);                      /* the server's CSM has come */
	void (*drop)(struct tcp_assoc *t, bool polite);         /* our side is about to be closed; more than once is fine */
};
extern const struct tcp_io tcp_plain_io;
const struct tcp_io *tcp_io(const struct tcp_assoc *t); /* of its kind; once it lingers, nothing lies on the socket */

/* tcp.c */
int tcp_open(struct north_assoc *a, const char *who, uint16_t port); /* transport.open, .. */
int tcp_connect(struct north_assoc *a);
int tcp_send(struct north_assoc *a, const uint8_t *data, size_t len);
void tcp_ready(struct north_assoc *a, uint32_t events);
void tcp_close(struct north_assoc *a);
void tcp_renew(struct north_assoc *a);
size_t tcp_message_max(const struct north_assoc *a);
bool tcp_blockwise(const struct north_assoc *a);
void tcp_timer(struct tcp_assoc *t); /* sets it for the phase */
void tcp_settle(struct tcp_assoc *t); /* without a connection: makes one, now or in time, when it is wanted */

/* tcp_attempt.c: from nothing to a connection */
int tcp_start(struct tcp_assoc *t);     /* at the first address. 0, also when it has failed; -EMFILE, -ENOMEM: nothing was tried */
void tcp_connected(struct tcp_assoc *t); /* SO_ERROR is to be asked */
void tcp_shake(struct tcp_assoc *t);
/* It came to nothing: the next address, or a pause. */
void tcp_attempt_failed(struct tcp_assoc *t, const struct tcp_end *end);
uint32_t tcp_next_pause(struct tcp_assoc *t); /* with jitter */

/* tcp_flow.c: octets in and out; each of these may close the association */
void tcp_input(struct tcp_assoc *t);
void tcp_flush(struct tcp_assoc *t);
void tcp_dirty(struct tcp_assoc *t);    /* has something to write or to tell */
void tcp_flush_dirty(struct north *n);  /* all of these */
bool tcp_tell_acked(struct tcp_assoc *t); /* gives the session the acknowledgements that are due; false: the association is gone */

/* tcp_end.c: the end of a connection */
void tcp_watch(struct tcp_assoc *t, uint32_t events);
void tcp_ended(struct tcp_assoc *t, const struct tcp_end *end); /* in any phase with a socket */
void tcp_disconnect(struct tcp_assoc *t, bool polite);
void tcp_linger_over(struct tcp_assoc *t);

/* tcp_server.c: counters of a server that is reached by streams */
int tcp_server_open(struct north_server *s); /* -ENOMEM */
void tcp_server_close(struct north_server *s);
void tcp_count_attempt(struct north_server *s, enum tcp_result r);
void tcp_count_end(struct north_server *s, enum tcp_result r);
const char *tcp_result_name(enum tcp_result r);

#endif
