/* SPDX-License-Identifier: Apache-2.0 */
/* circuit.c - see circuit.h */
#include "link/t8/circuit.h"

#include "base/random.h"

uint64_t t8_backoff_ms(unsigned n)
{
	uint64_t ms = n < 6 ? (uint64_t)T8_BACKOFF_MS << n : T8_BACKOFF_MAX_MS;

	if (ms > T8_BACKOFF_MAX_MS)
		ms = T8_BACKOFF_MAX_MS;
	return ms - ms / 10 + random_below((uint32_t)(ms / 5) + 1);
}

bool t8_circuit_take(struct t8_circuit *c, uint64_t now_ms)
{
	if (now_ms < c->pause_until_ms)
		return false;
	if (!c->open)
		return true;
	if (c->probing || now_ms < c->probe_at_ms)
		return false;
	c->probing = true;
	return true;
}

uint64_t t8_circuit_at(const struct t8_circuit *c, uint64_t now_ms)
{
	uint64_t at = now_ms > c->pause_until_ms ? now_ms : c->pause_until_ms;

	if (!c->open)
		return at;
	if (c->probing)
		return UINT64_MAX;
	return at > c->probe_at_ms ? at : c->probe_at_ms;
}

bool t8_circuit_ok(struct t8_circuit *c)
{
	bool closed = c->open;

	c->open = c->probing = false;
	c->faults = c->pauses = 0;
	return closed;
}

bool t8_circuit_trip(struct t8_circuit *c, uint64_t now_ms)
{
	bool opened = !c->open;

	c->open = true;
	c->probing = false;
	c->probe_at_ms = now_ms + T8_PROBE_MS;
	return opened;
}

bool t8_circuit_fault(struct t8_circuit *c, uint64_t now_ms)
{
	if (c->faults < UINT8_MAX)
		c->faults++;
	if (c->open || c->faults >= T8_FAULTS_TO_OPEN)
		return t8_circuit_trip(c, now_ms);
	return false;
}

uint64_t t8_circuit_pause(struct t8_circuit *c, uint64_t now_ms, uint64_t ms)
{
	uint64_t end = now_ms + (ms ? ms : t8_backoff_ms(c->pauses));

	if (!ms && c->pauses < UINT8_MAX && now_ms >= c->pause_until_ms)
		c->pauses++; /* once for all answers of one pause */
	if (end > c->pause_until_ms)
		c->pause_until_ms = end;
	if (c->open) { /* it speaks again, and asks for time */
		c->open = c->probing = false;
		c->faults = 0;
	}
	return c->pause_until_ms;
}

void t8_circuit_drop(struct t8_circuit *c)
{
	c->probing = false;
}
