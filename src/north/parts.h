/* SPDX-License-Identifier: Apache-2.0 */
/* parts.h - what the files of north/ share with each other and nobody else */
#ifndef NIDDGW_NORTH_PARTS_H
#define NIDDGW_NORTH_PARTS_H

#include <sys/epoll.h>

#include "base/log.h"
#include "base/timer.h"
#include "north/north.h"

/* ---- ports.c: which local ports are taken ---- */
struct ports {
	uint16_t first, last;     /* what may be chosen */
	unsigned free;            /* left of that range */
	uint64_t taken[65536 / 64];
};
int ports_range_parse(uint16_t *first, uint16_t *last, const char *text); /* -EBADMSG */
void ports_init(struct ports *p, uint16_t first, uint16_t last);
/* The port of the range where the search for who at server begins: a keyed hash, so that it is the same after a restart
 * and cannot be foretold without the key (of which the first 32 octets are used). */
uint16_t ports_first_choice(const struct ports *p, const uint8_t *key, const char *who, const char *server);
uint16_t ports_next_free(const struct ports *p, uint16_t from); /* from itself or the next in the range, round the end; 0: none */
bool ports_is_taken(const struct ports *p, uint16_t port);
void ports_take(struct ports *p, uint16_t port);
void ports_release(struct ports *p, uint16_t port);

int north_bind_parse(struct addr *out, const char *text); /* conf.c: an address without a port; -EBADMSG */

/* ---- lists of associations: circular, so that a whole list moves at once ---- */
struct assoc_list {
	struct assoc_list *next, *prev;
};
static inline void assoc_list_init(struct assoc_list *l)
{
	l->next = l->prev = l;
}
static inline bool assoc_list_empty(const struct assoc_list *l)
{
	return l->next == l;
}
static inline void assoc_list_remove(struct assoc_list *n)
{
	n->next->prev = n->prev;
	n->prev->next = n->next;
}
static inline void assoc_list_add(struct assoc_list *l, struct assoc_list *n)
{
	n->next = l;
	n->prev = l->prev;
	l->prev->next = n;
	l->prev = n;
}
void assoc_list_move_all(struct assoc_list *to, struct assoc_list *from);

/* ---- the whole ---- */
enum { NORTH_BATCH = 64, NORTH_REFUSED_MAX = 32 };

struct evdns_base;
struct north_lookup;

struct north {
	struct north_env env;     /* what it points to is borrowed */
	char interface[16];       /* IFNAMSIZ; "": any */
	struct addr local;        /* len 0: any; port 0 */
	struct ports ports;
	bool ports_alarm;         /* raised */
	const char *resolv_conf, *hosts; /* files of the resolver */
	struct evdns_base *dns;   /* owned; NULL until a name has to be looked up */
	unsigned lookups;         /* whose end has not been reported by evdns */
	int poll;                 /* epoll set of all associations */
	struct loop_fd *watch;
	struct loop_hook hook;    /* delivers refusals found while sending */
	/* the batch that is being worked off; a closed association is taken out of it */
	struct epoll_event batch[NORTH_BATCH];
	int batch_at, batch_n;
	struct north_assoc *current; /* whose callbacks run; NULL when it was closed by them */
	struct north_assoc *refused[NORTH_REFUSED_MAX];
	unsigned refused_n;
	struct log_limit send_limit, foreign_limit;
	uint8_t buf[65536];       /* one datagram */
};

struct north_server {
	struct north *north;
	const struct server_conf *conf; /* borrowed */
	char *name;                     /* owned: the gauge and alarm outlive a configuration */
	struct server_uri uri;
	struct addr addr;               /* len 0: not known */
	bool numeric, silent, lookup_alarm;
	uint64_t heard_ms;              /* clock_now_ms(); 0: never */
	uint32_t backoff_ms;            /* of lookups; 0: none failed yet */
	struct timer lookup_timer, connect_timer;
	struct north_lookup *lookup;    /* running */
	struct assoc_list waiting;      /* to be connected to addr, as soon as it is known */
	struct assoc_list open;
	unsigned associations;
	uint64_t *foreign, *refused, *send_failed; /* metric cells */
};

struct north_assoc {
	struct assoc_list node; /* first: of waiting or open */
	struct north_server *srv;
	void *arg;
	int fd; /* -1: no socket yet */
	uint16_t port;
	bool up;
	uint32_t refused_ms; /* low half of the clock at the last refusal reported */
};
_Static_assert(sizeof(struct north_assoc) <= 64, "an idle association is small");

/* socket.c */
bool udp_address_usable(const struct north *n, const struct addr *to); /* there is a route from our address */
/* Takes the port (0: chosen for who) and, when the server's address is known, binds a socket to it. */
int udp_assoc_claim(struct north_assoc *a, const char *who, uint16_t port);
int udp_assoc_attach(struct north_assoc *a);  /* connects a socket that was bound and puts it into the poll set */
int udp_assoc_connect(struct north_assoc *a); /* to the server's address of now: opens the socket when there is none */
void udp_port_release(struct north *n, uint16_t port);
/* udp.c */
void udp_poll_ready(void *arg, int fd, unsigned what);
void udp_deliver_refused(void *arg);
/* lookup.c: ends in server_address_known(), or tries again by itself */
void server_lookup_start(struct north_server *s); /* one that runs is left to it */
void server_lookup_cancel(struct north_server *s);
/* server.c */
void server_address_known(struct north_server *s, const struct addr *addr); /* a first or another one */
void server_connect_waiting(struct north_server *s); /* begins to connect them, some in each pass */

#endif
