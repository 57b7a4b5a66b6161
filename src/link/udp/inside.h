/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - what the files of link/udp/ share with each other and nobody else */
#ifndef NIDDGW_LINK_UDP_INSIDE_H
#define NIDDGW_LINK_UDP_INSIDE_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/map.h"
#include "link/udp/conf.h"

enum {
	UDP_UNIT_MAX = 1600,     /* the largest mtu that can be configured */
	UDP_BUFFER = 2048,
	UDP_IN_BATCH = 64,
	UDP_ROUNDS = 8,          /* batches taken in one pass of the loop */
	UDP_OUT_MAX = 1024,      /* units waiting to leave */
	UDP_OUT_BYTES = 1 << 19,
	UDP_OUT_BATCH = 64,
	UDP_LOCALS = 255,
	UDP_UPS_MAX = 65536,     /* units whose verdict is awaited */
};

/* A source: the address as IPv6 (v4 as mapped), and the port; port 0 stands for whatever port that host sends from. */
struct udp_key {
	uint8_t host[16];
	uint16_t port;
};

struct udp_dev {
	struct link_dev_base base;
	struct map_node node;
	struct udp_key key;
	uint16_t port;   /* where it is reached; 0: not heard yet */
	uint8_t local;   /* 1 + index of the local address it talks to; 0: not known */
	uint16_t queued; /* of its units in the out queue */
	uint32_t scope;  /* of a link-local address */
	uint32_t mtu;
};

union udp_control { /* of one message: our address, count of what the kernel dropped */
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint32_t))];
};

/* Units gathered in a pass, sent in order with as few calls as possible. What the kernel does not take waits. */
struct udp_item {
	struct udp_dev *dev; /* NULL: no longer wanted */
	uint32_t id;
	uint64_t deadline_ms;
};
struct udp_queue {
	struct mmsghdr msg[UDP_OUT_MAX];
	struct iovec iov[UDP_OUT_MAX];
	struct sockaddr_in6 to[UDP_OUT_MAX];
	union udp_control control[UDP_OUT_MAX];
	struct udp_item item[UDP_OUT_MAX];
	uint8_t bytes[UDP_OUT_BYTES];
	size_t used;
	unsigned head, tail;
	bool blocked;  /* until the socket is writable */
	bool flushing;
};

struct udp_link;
struct udp_up { /* one unit whose verdict is awaited */
	struct link_up up;
	struct udp_link *link;
	struct udp_up *next; /* free ones */
};

struct udp_link {
	struct link base;
	struct link_env env; /* a copy: links that wait for a last verdict after their end outlive the caller's */
	struct addr listen;
	bool any;            /* listens on all addresses: answers leave from the one that was asked */
	bool closed;         /* only the last verdicts are awaited */
	int fd;
	struct loop_fd *watch;
	struct loop_hook hook;
	struct map devices;
	struct map kept;     /* where devices that are not attached yet were last heard (keep.c) */
	size_t exact;        /* of them with a port of their own */
	struct udp_queue *out;
	struct udp_up *ups;  /* free */
	unsigned ups_out;    /* given upward, verdict awaited */
	struct in6_addr locals[UDP_LOCALS];
	unsigned locals_n;
	uint64_t since_wall_ms, heard_ms;
	uint64_t *overflow;  /* metric cell: datagrams the kernel dropped because we were too slow */
	uint32_t overflow_seen;
	struct log_limit unknown_limit, send_limit;
	/* receiving */
	struct mmsghdr in[UDP_IN_BATCH];
	struct iovec in_iov[UDP_IN_BATCH];
	struct sockaddr_in6 in_from[UDP_IN_BATCH];
	union udp_control in_control[UDP_IN_BATCH];
	uint8_t in_data[UDP_IN_BATCH][UDP_BUFFER];
};

/* table.c */
int udp_key_parse(struct udp_key *out, const char *text); /* HOST, HOST:PORT, [V6]:PORT, numeric; -EBADMSG */
void udp_key_of(struct udp_key *out, const struct sockaddr_in6 *from); /* of either family */
struct udp_dev *udp_find(const struct udp_link *l, const struct udp_key *source);
int udp_attach(struct link *l, struct link_dev **out, const struct link_identity *identity, struct device *dev, uint32_t mtu);
void udp_detach(struct link_dev *d, bool gone);
struct device *udp_find_device(const struct link *l, const struct link_identity *identity);
void udp_set_mtu(struct link_dev *d, uint32_t mtu);
void udp_dev_address(const struct udp_dev *d, struct addr *out); /* with port 0 when it was not heard yet */
/* keep.c */
int udp_keep_load(struct udp_link *l);
void udp_keep_take(struct udp_link *l, struct udp_dev *d);         /* its port of the life before */
void udp_keep_port(const struct udp_link *l, const struct udp_dev *d); /* it has changed */
void udp_keep_forget(const struct udp_link *l, const struct udp_dev *d);
void udp_keep_free(struct udp_link *l);
/* recv.c */
void udp_recv_init(struct udp_link *l);
void udp_receive(struct udp_link *l);
void udp_ups_free(struct udp_link *l);
/* send.c */
int udp_send(struct link_dev *d, const struct link_down *how, const uint8_t *data, size_t len);
void udp_cancel(struct link_dev *d, uint32_t id);
void udp_drop_queued(struct udp_dev *d);
void udp_flush(void *link);
void udp_writable(struct udp_link *l);
/* udp.c */
void udp_link_free(struct udp_link *l);

#endif
