/* SPDX-License-Identifier: Apache-2.0 */
/* topic.h - names as levels of topics, and back */
#ifndef NIDDGW_MQTT_TOPIC_H
#define NIDDGW_MQTT_TOPIC_H

#include <stddef.h>

#define TOPIC_LEVEL_MAX 128                  /* octets of one encoded level */
#define TOPIC_LEVEL_SIZE (TOPIC_LEVEL_MAX + 1)

/* A name as one level: octets outside A-Z a-z 0-9 . _ : ~ @ = , - as %XX; what is longer than TOPIC_LEVEL_MAX then as %h and 32 hexadecimal
 * digits of its SHA-256. Two names never give the same level. An empty name gives "%". Returns out. */
const char *topic_level(char out[TOPIC_LEVEL_SIZE], const char *name);
/* The name of a level of len octets. Octets, without the NUL; -1: no name gives this level, or it is a hash. */
long topic_name(char *out, size_t size, const char *level, size_t len);

#endif
