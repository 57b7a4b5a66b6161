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

void secure_check(struct conf_load *load, const struct server_conf *s); /* secure_conf.c: faults of keys and certificates */
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
enum { NORTH_BATCH = 64, NORTH_REFUSED_MAX = 32, NORTH_SLOTS = 256, NORTH_RESULTS = 8, NORTH_STREAM_RESULTS = 11, NORTH_ADDRS = 8 };

struct evdns_base;
struct north_lookup;
struct secure;
struct secure_ctx;
struct stream_item;

/* What an association runs over. */
enum north_kind { NORTH_UDP, NORTH_DTLS, NORTH_TCP, NORTH_TLS, NORTH_RELAY, NORTH_LOCAL, NORTH_KIND_COUNT };
/* One transport. The functions are called from the loop only; an association that is handed to them is never NULL. */
struct north_transport {
	const char *scheme;  /* of the server's URI; NULL: not chosen by one */
	bool stream;
	bool paced;          /* connecting costs the server a handshake: bounded in rate and number, see server_slot_free() */
	size_t size;         /* of its association, which begins with struct north_assoc */
	/* Takes what the association needs (port, socket) and begins to connect when the server's address is known. 1: usable at once;
	 * 0: not yet (it has to connect(), which the caller sees to); negative errno: none of it, nothing is held. */
	int (*open)(struct north_assoc *a, const char *who, uint16_t port);
	/* Begins to connect to the server's address of now, from whatever state it is in: for the first time, or since that address
	 * is another one. 1: usable at once, the caller reports it; 0: on its way, assoc_up() or assoc_end() follows; negative errno:
	 * tried again in a second. */
	int (*connect)(struct north_assoc *a);
	int (*send)(struct north_assoc *a, const uint8_t *data, size_t len); /* as north_assoc_send() */
	void (*ready)(struct north_assoc *a, uint32_t events);               /* EPOLLIN, .. on a->fd; may close any association */
	void (*close)(struct north_assoc *a); /* gives back all that it holds, but for the memory of the association */
	void (*unanswered)(struct north_assoc *a);             /* NULL: means nothing */
	void (*renew)(struct north_assoc *a);                  /* a reload: what waits to try again tries now; NULL: nothing does */
	struct secure *(*secure)(struct north_assoc *a);       /* NULL: it is not secured */
	size_t (*message_max)(const struct north_assoc *a);
	bool (*blockwise)(const struct north_assoc *a);        /* NULL: it does */
};
extern const struct north_transport *const north_transports[NORTH_KIND_COUNT];
extern const struct north_transport udp_transport, dtls_transport, tcp_transport, tls_transport, relay_transport, local_transport;

struct north {
	struct north_env env;     /* what it points to is borrowed */
	char interface[16];       /* IFNAMSIZ; "": any */
	struct addr local;        /* len 0: any; port 0 */
	uint8_t resume_key[32];   /* of what is kept for resumption; derived from env.key */
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
	struct north_server *servers;
	int route;                   /* netlink socket; -1: none */
	struct loop_fd *route_watch;
	struct timer route_timer;
	struct assoc_list ended;     /* lost or denied, not reported yet */
	struct log_limit send_limit, foreign_limit;
	struct bio_method_st *bio_method; /* owned; NULL until DTLS is spoken */
	int send_err;             /* of the last datagram that OpenSSL sent */
	bool gather;              /* what it writes is gathered in flight */
	uint8_t flight[1232];     /* as much as IPv6 carries everywhere */
	size_t flight_len;
	size_t datagram_len;      /* of what buf has for OpenSSL; 0: nothing */
	struct assoc_list dirty;     /* streams with something to write or to tell */
	struct timer flush_timer;    /* set while there are */
	struct stream_item *item;    /* owned; what a stream says; NULL until there is a server that is reached by one */
	uint8_t buf[65536];       /* one datagram, or what a stream has in one turn */
	uint8_t plain[16384];     /* what one record holds */
};

struct north_server {
	struct north *north;
	const struct server_conf *conf; /* borrowed */
	char *name;                     /* owned: the gauge and alarm outlive a configuration */
	struct server_uri uri;
	enum north_kind kind;
	north_local_fn *local;          /* of a server that is the gateway itself */
	struct addr addr;               /* len 0: not known */
	uint64_t addr_ms;               /* since when */
	unsigned addresses;             /* how many times it was set */
	struct addr addrs[NORTH_ADDRS]; /* of its name, those that can be used from here */
	unsigned addrs_n;
	bool stale;                     /* addr does not answer: the next one is to be tried */
	struct addr from;               /* our address towards it, without a port; len 0: there was no way yet */
	struct north_server *next;      /* of the room */
	bool forbidden;                 /* a proxy target whose name leads to a reserved address */
	bool numeric, silent, lookup_alarm;
	uint64_t heard_ms;              /* clock_now_ms(); 0: never */
	uint32_t backoff_ms;            /* of lookups; 0: none failed yet */
	struct timer lookup_timer, connect_timer;
	uint64_t pace_us;               /* when the next handshake may begin */
	unsigned slots;                 /* taken */
	struct north_lookup *lookup;    /* running */
	struct assoc_list waiting;      /* to be connected to addr, as soon as it is known */
	struct assoc_list open;
	unsigned associations, ups;     /* all, and those that are up (of a secured server) */
	uint64_t *foreign, *refused, *send_failed; /* metric cells */
	/* of a secured one */
	struct secure_ctx *secure;      /* owned */
	unsigned auth_failed;           /* associations whose last handshake says that keys or certificates do not fit */
	uint64_t peer_expires_s;        /* Unix time: end of the certificate that it showed last; 0: none yet */
	bool cert_alarm;
	struct timer cert_timer;
	uint64_t *handshakes[NORTH_RESULTS], *dropped; /* metric cells */
	/* of one that is reached by streams */
	struct addr others[NORTH_ADDRS - 1]; /* further addresses of its name, to be tried in turn behind addr */
	unsigned others_n;
	unsigned stream_at;             /* the address that was good last: 0 is addr */
	uint64_t *connects[NORTH_STREAM_RESULTS], *disconnects[NORTH_STREAM_RESULTS]; /* metric cells */
};

/* Where an association stands. All but those that are up are -ENOTCONN to a sender. */
enum assoc_state {
	ASSOC_WAITING, /* to be connected */
	ASSOC_BUSY,    /* on its way, or waiting to try again */
	ASSOC_UP,
	ASSOC_LOST,    /* ended: the next message to be sent makes it connect again */
	ASSOC_DENIED,  /* -EACCES to a sender until it tries again by itself */
};
/* The head of every association, and all of one over UDP. */
struct north_assoc {
	struct assoc_list node; /* first: of waiting or open of its server, or of ended */
	struct north_server *srv;
	const struct north_events *events; /* borrowed */
	void *arg;
	int fd;                 /* -1: no socket yet */
	uint32_t refused_ms;    /* low half of the clock at the last refusal reported */
	uint16_t port;          /* 0: none of north.ports */
	uint8_t kind, state;    /* enum north_kind, enum assoc_state */
	bool untold;            /* stands in ended: the owner has to hear of it first */
	bool slot;              /* counts as one that is connecting */
};
_Static_assert(sizeof(struct north_assoc) <= 56, "an idle association over UDP is small");

static inline const struct north_transport *assoc_transport(const struct north_assoc *a)
{
	return north_transports[a->kind];
}

/* north.c */
void north_poll_ready(void *arg, int fd, unsigned what); /* works off what is ready in the poll set */
/* assoc.c */
void assoc_up(struct north_assoc *a); /* usable: says so to its owner at once; the transport does not touch it afterwards */
/* No longer up, or denied (state): its owner is told by the loop's next hook, never from inside a call of its own. */
void assoc_end(struct north_assoc *a, enum assoc_state state);
void assoc_busy(struct north_assoc *a); /* up no longer for what is new, while what is under way goes on: its owner is told when it ends */
void assoc_want(struct north_assoc *a); /* has to be connected: waits for its turn at its server, and for its owner to be told of an end */
/* ICMP says that nobody listens: told once in a second, at once (may close any association) or from the hook. */
void assoc_report_refused(struct north_assoc *a);
void assoc_refused(struct north_assoc *a);
void assoc_deliver(void *arg);          /* the hook: reports what was found meanwhile */
/* socket.c */
/* A socket of that type (SOCK_DGRAM, SOCK_STREAM), which does not block, on the configured interface; a negative errno. */
int north_socket(const struct north *n, int family, int type);
int north_socket_bind(int fd, const struct north *n, int family, uint16_t port); /* to the configured address, port 0: the kernel's choice */
bool udp_address_usable(const struct north *n, const struct addr *to); /* there is a route from our address */
bool udp_source(struct addr *out, const struct north *n, const struct addr *to); /* our address on that route; port 0 */
/* Takes the port (0: chosen for who) and, when the server's address is known, binds a socket to it. */
int udp_assoc_claim(struct north_assoc *a, const char *who, uint16_t port);
int udp_assoc_attach(struct north_assoc *a);  /* connects a socket that was bound and puts it into the poll set */
int udp_assoc_connect(struct north_assoc *a); /* to the server's address of now: opens the socket when there is none */
void udp_assoc_release(struct north_assoc *a); /* socket and port */
/* udp.c, for all that runs over datagrams */
int udp_assoc_open(struct north_assoc *a, const char *who, uint16_t port);    /* transport.open */
int udp_assoc_send(struct north_assoc *a, const uint8_t *data, size_t len);   /* transport.send, of an association whose socket is connected */
/* One datagram into n->buf, or what ICMP had to say: its length, 0 for none (an empty one too). May close the association: n->current
 * tells. Foreign ones are counted. */
size_t udp_assoc_receive(struct north_assoc *a);
const char *server_label(const struct north_server *s, char *buf, size_t size); /* server.c: server="NAME" */
/* lookup.c: ends in server_address_known(), or tries again by itself */
void server_lookup_start(struct north_server *s); /* one that runs is left to it */
void server_lookup_cancel(struct north_server *s);
void server_address_next(struct north_server *s); /* of those that are known */
/* route.c: notices that the way to a server is another one. Without the means for it, nothing is noticed. */
void routes_open(struct north *n);
void routes_close(struct north *n);
void routes_check(struct north *n);
/* server.c */
void server_forbid(struct north_server *s); /* its name leads where nothing may be sent */
void server_address_known(struct north_server *s, const struct addr *addr); /* a first or another one */
/* A handshake or connection that began at begun_ms got no answer at all: with nothing else up there, the server counts as silent, and
 * the next of its addresses is tried. */
void server_no_answer(struct north_server *s, uint64_t begun_ms);
void server_connect_waiting(struct north_server *s); /* begins to connect them, some in each pass */
/* connect() of a paced transport is called with a slot taken. It is given back when the handshake is over, or when it takes so long that
 * the server cannot be busy with it; giving back twice is fine. */
void server_slot_free(struct north_assoc *a);

#endif
