/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - what a peer's answers say: configurations, deliveries, failures (TS 29.122 5.6.2 and 5.2.1) */
#ifndef NIDDGW_LINK_T8_ANSWER_H
#define NIDDGW_LINK_T8_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/t8/notify.h"

#define T8_CAUSE_MAX 64
#define T8_TEXT_MAX 160

struct t8_config_answer {
	char tail[T8_TAIL_MAX]; /* of self; "" when absent or none of a configuration */
	char external_id[T8_ID_MAX], msisdn[24];
	char destination[512];
	char status[T8_STATUS_MAX];
	bool has_duration;
	uint64_t duration_wall_ms;
	uint64_t packet_size; /* as given; 0: absent */
};
/* A NiddConfiguration. Members that cannot be used count as absent. 0; -EBADMSG no JSON object; -ENOMEM. */
int t8_config_read(struct t8_config_answer *a, const char *text, size_t len, const char *scs);

struct t8_delivery_answer {
	char tail[T8_TAIL_MAX];
	char status[T8_STATUS_MAX]; /* deliveryStatus, or its alias status */
	bool has_retry;
	uint64_t retry_wall_ms;
	bool typed;                 /* a failure that says so itself: not a broken server */
	char cause[T8_CAUSE_MAX];   /* ProblemDetails cause, nested or not */
	char detail[T8_TEXT_MAX];   /* title or detail, and the first invalidParams, for the log; cut */
};
/* Any answer to a downlink request, success or failure, of any media type. Never fails: what is not understood is absent. */
void t8_delivery_read(struct t8_delivery_answer *a, const char *text, size_t len, const char *scs);

/* Looks for exactly these octets among pending deliveries (a bare array). 0 and the tail ("" when it has none); -ENOENT; -EBADMSG no list. */
int t8_pending_find(char *tail, const char *text, size_t len, const char *scs, const uint8_t *data, size_t data_len);

/* All of them. */
struct t8_pending_answer {
	char tail[T8_TAIL_MAX];     /* "" when it has none */
	char status[T8_STATUS_MAX];
	bool has_retry, has_data;   /* data may be absent, or larger than any unit of ours */
	uint64_t retry_wall_ms;
	size_t len;
	uint8_t data[T8_UNIT_MAX];
};
typedef void t8_pending_fn(void *arg, const struct t8_pending_answer *a); /* borrowed for the call */
int t8_pendings_read(const char *text, size_t len, const char *scs, t8_pending_fn *fn, void *arg); /* -EBADMSG no list; -ENOMEM */

#endif
