/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c - the decision tables of downlink delivery */
#include "link/t8/decide.h"

#include <string.h>

#include "base/clock.h"

#define DAY_MS (24u * 3600 * 1000)

static const struct {
	const char *status;
	enum link_down_state state;
	enum link_cause cause;
} statuses[] = {
	{ "SUCCESS", LINK_DOWN_SENT, LINK_CAUSE_NONE }, /* with the network; the device may not have it yet */
	{ "SUCCESS_NEXT_HOP_ACKNOWLEDGED", LINK_DOWN_DELIVERED, LINK_CAUSE_NONE },
	{ "SUCCESS_NEXT_HOP_UNACKNOWLEDGED", LINK_DOWN_SENT, LINK_CAUSE_NONE },
	{ "SUCCESS_ACKNOWLEDGED", LINK_DOWN_ACKED, LINK_CAUSE_NONE },
	{ "SUCCESS_UNACKNOWLEDGED", LINK_DOWN_UNSURE, LINK_CAUSE_NONE },
	{ "TRIGGERED", LINK_DOWN_BUFFERED, LINK_CAUSE_NONE },
	{ "BUFFERING", LINK_DOWN_BUFFERED, LINK_CAUSE_NONE },
	{ "BUFFERING_TEMPORARILY_NOT_REACHABLE", LINK_DOWN_BUFFERED, LINK_CAUSE_NONE },
	{ "SENDING", LINK_DOWN_BUFFERED, LINK_CAUSE_NONE }, /* it may sit elsewhere: not again */
	{ "FAILURE", LINK_DOWN_FAILED, LINK_CAUSE_TEMPORARY },
	{ "FAILURE_RDS_DISABLED", LINK_DOWN_FAILED, LINK_CAUSE_TEMPORARY },
	{ "FAILURE_NEXT_HOP", LINK_DOWN_FAILED, LINK_CAUSE_TEMPORARY },
	{ "FAILURE_TIMEOUT", LINK_DOWN_FAILED, LINK_CAUSE_ASLEEP },
	{ "FAILURE_TEMPORARILY_NOT_REACHABLE", LINK_DOWN_FAILED, LINK_CAUSE_ASLEEP },
};

struct t8_status_class t8_status_class(const char *status)
{
	if (!*status)
		status = "SUCCESS";
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
		if (!strcmp(statuses[i].status, status))
			return (struct t8_status_class){ statuses[i].state, statuses[i].cause, true };
	if (!strncmp(status, "SUCCESS", 7))
		return (struct t8_status_class){ LINK_DOWN_SENT, LINK_CAUSE_NONE, false };
	if (!strncmp(status, "FAILURE", 7))
		return (struct t8_status_class){ LINK_DOWN_FAILED, LINK_CAUSE_TEMPORARY, false };
	return (struct t8_status_class){ LINK_DOWN_BUFFERED, LINK_CAUSE_NONE, false };
}

/* Words in a ProblemDetails cause, which no schema lists; the first that is found counts. */
static const struct {
	const char *word;
	enum link_cause cause;
} causes[] = {
	{ "TOO_LARGE", LINK_CAUSE_TOO_LARGE }, { "NOT_REACHABLE", LINK_CAUSE_ASLEEP },
	{ "UNREACHABLE", LINK_CAUSE_ASLEEP },  { "TIMEOUT", LINK_CAUSE_ASLEEP },
	{ "TIMED_OUT", LINK_CAUSE_ASLEEP },    { "PDN", LINK_CAUSE_ASLEEP },
	{ "TRIGGERED", LINK_CAUSE_ASLEEP },    { "SENDING", LINK_CAUSE_TEMPORARY },
	{ "QUOTA", LINK_CAUSE_TEMPORARY },     { "RATE_", LINK_CAUSE_TEMPORARY },
	{ "TOO_MANY", LINK_CAUSE_TEMPORARY },
};

static enum link_cause cause_class(const char *cause)
{
	for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
		if (strstr(cause, causes[i].word))
			return causes[i].cause;
	return LINK_CAUSE_NONE;
}

/* Answers whose meaning their number alone tells. */
static const struct {
	int from, to;
	struct t8_decision is;
} answers[] = {
	{ 201, 202, { T8_OUT_PENDING, LINK_CAUSE_NONE } }, { 200, 299, { T8_OUT_STATUS, LINK_CAUSE_NONE } },
	{ 300, 399, { T8_OUT_FAULT, LINK_CAUSE_NONE } }, /* a redirect that may not be followed */
	{ 401, 401, { T8_OUT_FAIL, LINK_CAUSE_REFUSED } }, { 404, 404, { T8_OUT_GONE, LINK_CAUSE_NONE } },
	{ 408, 408, { T8_OUT_UNKNOWN, LINK_CAUSE_NONE } }, { 409, 409, { T8_OUT_FAIL, LINK_CAUSE_TEMPORARY } },
	{ 413, 413, { T8_OUT_SHRINK, LINK_CAUSE_NONE } },  { 429, 429, { T8_OUT_KEEP, LINK_CAUSE_NONE } },
	{ 400, 499, { T8_OUT_FAIL, LINK_CAUSE_REFUSED } }, { 503, 503, { T8_OUT_KEEP, LINK_CAUSE_NONE } },
	{ 502, 504, { T8_OUT_UNKNOWN, LINK_CAUSE_NONE } }, { 500, 599, { T8_OUT_FAULT, LINK_CAUSE_NONE } },
};

static struct t8_decision by_number(int status)
{
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		if (status >= answers[i].from && status <= answers[i].to)
			return answers[i].is;
	return (struct t8_decision){ T8_OUT_FAULT, LINK_CAUSE_NONE };
}

static bool is_typed(const struct http_result *r, const struct t8_delivery_answer *a)
{
	return r->status >= 500 && r->status != 503 && (a->typed || cause_class(a->cause) != LINK_CAUSE_NONE);
}

/* A failure in the peer's own words: the status, else the cause, else what a retry time implies. */
static struct t8_decision typed_failure(const struct t8_delivery_answer *a)
{
	enum link_cause cause = cause_class(a->cause);
	struct t8_status_class c = t8_status_class(*a->status ? a->status : "FAILURE");

	if (cause == LINK_CAUSE_NONE && *a->status && c.state == LINK_DOWN_FAILED)
		cause = c.cause;
	if (cause == LINK_CAUSE_NONE)
		cause = a->has_retry ? LINK_CAUSE_ASLEEP : LINK_CAUSE_TEMPORARY;
	if (cause == LINK_CAUSE_TOO_LARGE)
		return (struct t8_decision){ T8_OUT_REREAD, LINK_CAUSE_NONE };
	return (struct t8_decision){ T8_OUT_FAIL, cause };
}

struct t8_decision t8_decide(const struct http_result *r, const struct t8_delivery_answer *a)
{
	if (r->outcome == HTTP_NOT_SENT)
		return (struct t8_decision){ T8_OUT_KEEP, LINK_CAUSE_NONE };
	if (r->outcome != HTTP_ANSWERED)
		return (struct t8_decision){ T8_OUT_UNKNOWN, LINK_CAUSE_NONE };
	if (is_typed(r, a))
		return typed_failure(a);
	if (r->status == 403) {
		enum link_cause cause = cause_class(a->cause);

		if (cause == LINK_CAUSE_TOO_LARGE)
			return (struct t8_decision){ T8_OUT_REREAD, LINK_CAUSE_NONE };
		if (cause == LINK_CAUSE_TEMPORARY || cause == LINK_CAUSE_ASLEEP)
			return (struct t8_decision){ T8_OUT_FAIL, cause };
	}
	return by_number(r->status);
}

enum t8_health t8_health(const struct http_result *r, const struct t8_delivery_answer *a)
{
	if (r->outcome == HTTP_TOO_LARGE)
		return T8_PEER_OK;
	if (r->outcome != HTTP_ANSWERED)
		return T8_PEER_FAULT;
	if (r->status == 401)
		return T8_PEER_DENIED;
	if (r->status == 429 || r->status == 503)
		return T8_PEER_PAUSE;
	if (r->status >= 300 && r->status < 400)
		return T8_PEER_FAULT;
	return r->status >= 500 && !is_typed(r, a) ? T8_PEER_FAULT : T8_PEER_OK;
}

uint64_t t8_hint_ms(uint64_t wall_ms, bool *clamped)
{
	uint64_t wall_now = clock_wall_ms(), ahead = wall_ms > wall_now ? wall_ms - wall_now : 0;

	if (clamped)
		*clamped = !ahead || ahead > DAY_MS;
	return clock_now_ms() + (ahead > DAY_MS ? DAY_MS : ahead);
}

uint64_t t8_retry_at_ms(const struct http_result *r, const struct t8_delivery_answer *a, bool *clamped)
{
	if (clamped)
		*clamped = false;
	if (a->has_retry)
		return t8_hint_ms(a->retry_wall_ms, clamped);
	return r && r->has_retry_after ? clock_now_ms() + r->retry_after_ms : 0;
}
