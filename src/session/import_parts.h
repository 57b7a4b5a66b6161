/* SPDX-License-Identifier: Apache-2.0 */
/* import_parts.h - what the files of an import share */
#ifndef NIDDGW_SESSION_IMPORT_PARTS_H
#define NIDDGW_SESSION_IMPORT_PARTS_H

#include "session/internal.h"

enum { STAGED_BLOCK = 1024 };

struct staged {
	struct map_node name, id, ep;
	struct device_conf *conf; /* head.at.line is that of the import */
	bool placed;              /* conf is its device's, or that of those overruled */
};

enum phase { GATHER, CHECKED, STORING, RENEWING, PLACING, OVER };

struct import {
	struct sessions *s;
	struct staged **blocks; /* owned: STAGED_BLOCK entries each */
	size_t n, blocks_size;
	struct store_record *records; /* owned, and the texts in it */
	size_t records_size;
	struct map names, ids, eps;
	size_t faults, checked, at;
	struct import_result result;
	enum phase phase;
	bool stale, closed;
	void (*done)(void *arg, int err);
	void *arg;
	int err;
	struct store_wait wait;
	struct timer timer;
};

static inline struct staged *staged_at(const struct import *im, size_t i)
{
	return &im->blocks[i / STAGED_BLOCK][i % STAGED_BLOCK];
}

#endif
