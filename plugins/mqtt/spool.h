/* SPDX-License-Identifier: Apache-2.0 */
/* spool.h - messages that wait on disk while the broker is away
 *
 * Bounded: the oldest are dropped and counted. It is a mirror of what has been forwarded, so nothing is synced: a power cut may lose what
 * was written last, and a crash may repeat some that were sent.
 */
#ifndef NIDDGW_MQTT_SPOOL_H
#define NIDDGW_MQTT_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool;
struct spool_message {
	const char *topic;   /* borrowed until the next call */
	const void *payload;
	size_t len;
	bool retain;
};

/* Files in dir, which exists. What a life before has left is there. 0; -ENOMEM; or what the directory says. */
int spool_open(struct spool **out, const char *dir, uint64_t max_bytes);
void spool_close(struct spool *s); /* NULL is fine */
/* Behind all others. *dropped: how many of the oldest had to go for it. 0; -EMSGSIZE larger than what fits; or what the disk says: it is not kept. */
int spool_put(struct spool *s, const struct spool_message *m, uint64_t *dropped);
/* The oldest one: 0, -ENOENT there is none, or what the disk says. It stays until spool_drop(). */
int spool_peek(struct spool *s, struct spool_message *m);
void spool_drop(struct spool *s); /* the one that spool_peek() gave */
uint64_t spool_bytes(const struct spool *s);

#endif
