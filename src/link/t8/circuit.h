/* SPDX-License-Identifier: Apache-2.0 */
/* circuit.h - may a request go to the peer now?
 *
 * Five faults in a row open the circuit: nothing goes but one probe every 30 s, until one is answered. What the peer asks for itself
 * (429, 503 with Retry-After) is a pause: nothing goes at all before its end. A fault is a failed transport or an untyped 5xx; a
 * failure that the peer states in its own words is none.
 */
#ifndef NIDDGW_LINK_T8_CIRCUIT_H
#define NIDDGW_LINK_T8_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

#define T8_FAULTS_TO_OPEN 5
#define T8_PROBE_MS 30000u
#define T8_BACKOFF_MS 1000u
#define T8_BACKOFF_MAX_MS 60000u

struct t8_circuit {
	uint64_t pause_until_ms, probe_at_ms;
	uint8_t faults, pauses; /* in a row */
	bool open, probing;
};

/* Asks for leave for one request; every leave is answered by one of ok, fault, pause or drop. */
bool t8_circuit_take(struct t8_circuit *c, uint64_t now_ms);
uint64_t t8_circuit_at(const struct t8_circuit *c, uint64_t now_ms); /* when to ask again: now, later, or UINT64_MAX while a probe is out */
bool t8_circuit_ok(struct t8_circuit *c);                       /* true: this closed it */
bool t8_circuit_fault(struct t8_circuit *c, uint64_t now_ms);   /* true: this opened it */
bool t8_circuit_trip(struct t8_circuit *c, uint64_t now_ms);    /* opens at once; true as above */
uint64_t t8_circuit_pause(struct t8_circuit *c, uint64_t now_ms, uint64_t ms); /* ms 0: the peer did not say; returns the end */
void t8_circuit_drop(struct t8_circuit *c);                     /* the request was cancelled: nothing was learnt */

/* Wait before try n (0 first): 1 s doubling to 60 s, 20 % jitter. */
uint64_t t8_backoff_ms(unsigned n);

#endif
