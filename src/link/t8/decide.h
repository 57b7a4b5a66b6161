/* SPDX-License-Identifier: Apache-2.0 */
/* decide.h - what an answer or a status means for a downlink (tables, no state) */
#ifndef NIDDGW_LINK_T8_DECIDE_H
#define NIDDGW_LINK_T8_DECIDE_H

#include "http/client.h"
#include "link/link.h"
#include "link/t8/answer.h"

enum t8_outcome {
	T8_OUT_STATUS,  /* 200: finished as the status says */
	T8_OUT_PENDING, /* 201: the peer has it; a status may already be in the answer */
	T8_OUT_FAIL,    /* failed for the cause beside it */
	T8_OUT_SHRINK,  /* too large at the peer's front: a smaller unit may pass */
	T8_OUT_REREAD,  /* too large for the device: the configuration knows the new size */
	T8_OUT_GONE,    /* the configuration is gone */
	T8_OUT_UNKNOWN, /* nobody knows whether the peer took it */
	T8_OUT_KEEP,    /* certainly not taken, and not the unit's fault: as soon as the peer allows */
	T8_OUT_FAULT,   /* the server broke on it: again a few times */
	T8_OUT_COUNT
};

struct t8_decision {
	enum t8_outcome outcome;
	enum link_cause cause; /* of FAIL */
};
struct t8_decision t8_decide(const struct http_result *r, const struct t8_delivery_answer *a);

/* What a deliveryStatus means (TS 29.122 5.6.2.3.3); "" is SUCCESS. Values of later releases go by their beginning. */
struct t8_status_class {
	enum link_down_state state;
	enum link_cause cause; /* of FAILED */
	bool known;            /* in the table: else log it once */
};
struct t8_status_class t8_status_class(const char *status);

/* What the answer tells about the peer's health. */
enum t8_health { T8_PEER_OK, T8_PEER_FAULT, T8_PEER_PAUSE, T8_PEER_DENIED };
enum t8_health t8_health(const struct http_result *r, const struct t8_delivery_answer *a);

/* A retry time on the clock_now_ms() scale: DateTime hints become an interval now and are held to 0..24 h, so that a jump of either wall
 * clock cannot stretch them. 0 when the peer gave none. *clamped (may be NULL): it was out of range. */
uint64_t t8_retry_at_ms(const struct http_result *r, const struct t8_delivery_answer *a, bool *clamped);
uint64_t t8_hint_ms(uint64_t wall_ms, bool *clamped); /* the same for one DateTime */

#endif
