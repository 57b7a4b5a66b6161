/* SPDX-License-Identifier: Apache-2.0 */
/* gate.h - what may go down to a device, and when
 *
 *   reach   whether the device can be expected to listen
 *   budget  how many units it may get
 *   pace    how many requests a link is given in a second
 *   admit   which requests of servers are refused as they come
 *   gate    asks these three for each unit, keeps what has to wait in order, and lets it go when its time has come
 *
 * A request that may not leave stays in the queue of the message layer; an acknowledgement or answer that nobody repeats stays
 * in a list here. A device that waits for a time has one timer; one that waits to be heard, or for nothing, has none.
 */
#ifndef NIDDGW_SESSION_GATE_H
#define NIDDGW_SESSION_GATE_H

#include "base/octets.h"
#include "base/timer.h"
#include "coap/option.h"
#include "coap/peer.h"
#include "link/link.h"
#include "session/window.h"

struct assoc;
struct budget;
struct device;
struct exchange;
struct gate_wait;
struct profile;
struct sessions;

/* Of a device; zeroed is a device that was never heard. */
struct gate {
	uint64_t contact_ms;      /* the last uplink, confirmed delivery or report of reachability; 0: none in this life */
	uint64_t asleep_until_ms; /* while device.asleep: when that is no longer believed */
	struct budget *budget;    /* owned; NULL: unlimited */
	struct gate_wait *wait;   /* owned; NULL while nothing waits for a time */
	bool asleep_timed;        /* asleep_until_ms is a time that the network named */
	bool woke;                /* heard after it was asleep, and what waited has not gone yet */
	bool busy;                /* waiting units are being sent */
	bool closed;              /* the device goes: nothing of what waits leaves */
	bool quota_up, quota_down;/* reasons for the alarm device.quota */
};

struct gate_wait {
	struct device *dev;
	struct timer timer;             /* when something may go */
	struct gate_unit *first, *last; /* owned: units that nobody repeats, oldest first */
	unsigned units_n;
	struct gate_wait *pace_next, **pace_link; /* in its pace; link NULL: not there */
};

/* ---- reach.c ---- */
#define REACH_ALWAYS UINT64_MAX
uint64_t reach_window_ms(const struct device *d); /* REACH_ALWAYS: it is never asleep by itself */
void reach_heard(struct device *d);               /* an uplink, a confirmed delivery, a report of the network */
void reach_asleep(struct device *d, uint64_t until_ms); /* reported by the network; 0: no time is known */
bool reach_is_awake(struct device *d);
uint64_t reach_awake_until_ms(struct device *d);  /* its window ends then; 0: it is asleep or never heard; REACH_ALWAYS */
/* What waits for the device goes after the answer to its own request, so that an Update costs one unit: not before this. 0: nothing is owed. */
uint64_t reach_hold_ms(const struct device *d);
/* Max-Age of a 5.03: until the time that the network named or the registration ends, whichever is first; else a minute. */
uint32_t reach_next_contact_s(struct device *d, const struct assoc *a);
bool reach_holds_requests(const struct device *d); /* we keep what cannot be delivered now: profile, queue */

/* ---- budget.c ---- */
void budget_configure(struct device *d); /* after its profile was set; keeps what is counted */
void budget_free(struct device *d);
void budget_take(struct device *d);      /* a unit went down */
/* When the nth unit from now may go; now or earlier: at once. */
uint64_t budget_room_at(struct device *d, uint32_t nth);
bool budget_has_room(struct device *d);
/* The tightest window: its limit, span and what is used of it; false: unlimited. */
bool budget_status(const struct device *d, uint32_t *limit, uint64_t *window_s, uint32_t *used);
/**
 * A transfer in blocks that cannot get through: more units than fit while the server waits for the next block.
 * @return its largest body in octets that would, or 0: nothing is against it
 */
size_t budget_too_small(struct device *d, const struct assoc *a, const struct coap_msg *m, const struct coap_view *v);
void budget_write(struct writer *w, const struct device *d); /* for the record of the device */
void budget_read(struct reader *r, struct device *d, bool trusted); /* trusted false: nobody knows how long ago it was */
/* The alarm device.quota, while a limit makes units get lost or refused. */
void quota_bites(struct device *d, bool up, const char *text);
void quota_eases(struct device *d, bool up);

/* ---- pace.c ---- */
bool pace_has_room(struct device *d);
void pace_take(struct device *d);
void pace_wait(struct device *d); /* gate_flush() is called when its turn comes */
void pace_leave(struct device *d);/* it does not wait any more, and its link may go */
void paces_sweep(struct sessions *s); /* frees those of links that are no longer there; nobody waits on them */

/* ---- gate.c ---- */
/* For the message layer: may tx leave now? first: it has never left. False: it waits, and gate_flush() will come to it. */
bool gate_lets(struct device *d, struct coap_tx *tx, bool first);
/* A unit that nobody repeats; rds: its RDS ports. False: it was copied and waits, or was dropped and counted; with an id handover_told() tells
 * of that. */
bool gate_lets_unit(struct device *d, uint16_t rds, uint32_t id, const uint8_t *data, size_t len);
bool gate_take_back(struct device *d, uint16_t mid); /* an empty ACK that has not left yet: the answer can go with it */
void gate_sent(struct device *d, bool request);      /* a unit was handed to the link */
void gate_flush(struct device *d);                   /* what may go now goes, in order */
void gate_answered(struct device *d);                /* a request of the device has had its answer, or its empty ACK */
void gate_submitted(struct exchange *x);             /* a request of a server stands in the queue or has left */
void gate_over(struct exchange *x);                  /* it is no longer open */
void gate_detach(struct device *d);                  /* its link goes */
void gate_free(struct device *d);

/* ---- admit.c ---- */
/**
 * Whether a request of a server is refused before it gets anywhere: Execute for a sleeper, octets of the queue, a transfer beyond the budget.
 * @return true: it has its answer
 */
bool gate_refuses(struct assoc *a, const struct coap_msg *m, const struct coap_view *v);
bool gate_is_execute(const struct coap_msg *m, const struct coap_view *v);
bool gate_may_queue(const struct exchange *x); /* false: an Execute that the profile does not let wait */
enum coap_tx_class gate_class(const struct coap_view *v);
/* Its duplicate window at the device is over: sent again it is a new message. False: it may not be. */
bool gate_renew(struct device *d, struct coap_tx *tx);
int64_t gate_latency_s(const struct device *d, const struct coap_tx *tx); /* link_down.maximum_latency_s; tx NULL: a unit that nobody repeats */

/* ---- expire.c ---- */
void expire_watch(struct assoc *a); /* its registration is new or longer: told when it has run out */
void expire_heard(struct device *d); /* it is not silent, or goes */
void expire_restart(struct sessions *s); /* the table of devices is in another order */
void expire_stop(struct sessions *s);

#endif
