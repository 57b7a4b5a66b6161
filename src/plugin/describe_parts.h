/* SPDX-License-Identifier: Apache-2.0 */
/* describe_parts.h - a description as it is made; for describe.c and options.c */
#ifndef NIDDGW_PLUGIN_DESCRIBE_PARTS_H
#define NIDDGW_PLUGIN_DESCRIBE_PARTS_H

#include <sys/stat.h>
#include <time.h>

#include "plugin/describe.h"
#include "plugin/frame.h"

enum { DESCRIPTION_MOST = 512 << 10 /* octets that a library may say of itself */, REFUSED_SIZE = 640 };

struct told {
	struct description d; /* first: it is what others see */
	struct told *next;
	struct stat file;     /* as it was; all zero when there was none */
	uint8_t *raw;         /* owned: the frames, which everything points into */
	size_t raw_len;
	struct conf_item *items; /* owned */
	const char **words[FRAME_OPTIONS_MOST]; /* owned, each */
	size_t n;
	char library[128], refused[REFUSED_SIZE];
};

void told_refuse(struct told *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void told_read(struct told *t); /* raw to the rest */

#endif
