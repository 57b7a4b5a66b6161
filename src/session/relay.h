/* SPDX-License-Identifier: Apache-2.0 */
/* relay.h - devices that are clients of DTLS themselves
 *
 * Their records pass one to one between the link and a UDP socket of the device's own towards the server's DTLS port. Nothing is
 * parsed, repeated or kept here that the two ends would not do themselves: DTLS is made for datagrams that get lost.
 */
#ifndef NIDDGW_SESSION_RELAY_H
#define NIDDGW_SESSION_RELAY_H

#include "base/octets.h"
#include "link/link.h"

struct device;
struct sessions;

/* A unit of records from the device. */
enum link_result relay_up(struct device *d, const uint8_t *data, size_t len);
void relay_contact(struct device *d); /* the device listens now: what has waited goes */
void relay_close(struct device *d);   /* there may be none */
void relays_settle(struct sessions *s); /* after a configuration: those that no longer have a server or a leave end */
struct relay_status {
	const char *server; /* NULL: there is no relay */
	uint16_t port;
};
struct relay_status relay_status(const struct device *d);
/* For the record of the device: it keeps its port over a restart. */
void relay_write(struct writer *w, const struct device *d);
void relay_read(struct reader *r, struct device *d);

#endif
