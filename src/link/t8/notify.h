/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - what a peer's notification says (TS 29.122 5.6.2; no member names its type, so it is told by what is there) */
#ifndef NIDDGW_LINK_T8_NOTIFY_H
#define NIDDGW_LINK_T8_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/t8/path.h"

#define T8_UNIT_MAX 2048  /* octets of one unit: above the NB-IoT ceiling of 1600 and what any operator states */
#define T8_STATUS_MAX 64  /* of deliveryStatus and status, with NUL */

enum t8_note_kind { T8_NOTE_TEST, T8_NOTE_GROUP, T8_NOTE_DELIVERY, T8_NOTE_UPLINK, T8_NOTE_STATUS, T8_NOTE_PORTS, T8_NOTE_COUNT };
extern const char *const t8_note_names[T8_NOTE_COUNT];

struct t8_note {
	enum t8_note_kind kind;
	char external_id[T8_ID_MAX], msisdn[24]; /* "" when absent */
	char tail[T8_TAIL_MAX];                  /* of the link it carries; "" when that names no resource of ours */
	char status[T8_STATUS_MAX];              /* DELIVERY, STATUS */
	bool has_retry;                          /* requestedRetransmissionTime was there and readable */
	uint64_t retry_wall_ms;
	int16_t port_ue, port_scef;              /* -1: none */
	size_t len;
	uint8_t data[T8_UNIT_MAX];               /* UPLINK */
};

/**
 * @param scs      our scs_as_id in path form
 * @param lenient  data may have padding and white space in odd places
 * @param fault    out, on -EBADMSG: JSON pointer of the member at fault, static text; "" the body as a whole
 * @return 0; -EBADMSG; -EMSGSIZE data above T8_UNIT_MAX; -ENOMEM
 */
int t8_note_read(struct t8_note *n, const uint8_t *body, size_t len, const char *scs, bool lenient, const char **fault);

#endif
