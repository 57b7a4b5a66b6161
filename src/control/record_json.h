/* SPDX-License-Identifier: Apache-2.0 */
/* record_json.h - a device record as a JSON object, both ways */
#ifndef NIDDGW_CONTROL_RECORD_JSON_H
#define NIDDGW_CONTROL_RECORD_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "session/conf.h"

enum { PAIRS_MOST = 256 /* values of one record, entries of lists counted */ };

struct record_pairs {
	struct conf_pair v[PAIRS_MOST];
	char numbers[PAIRS_MOST][40];
	char groups[16384]; /* texts of entries that were objects */
	size_t groups_len;
	size_t n;
};

/* Texts are borrowed from the object. An entry of a list of groups may be an object, too. False: a value that no key takes, or too many. */
bool record_pairs(struct record_pairs *p, json_t *object);
json_t *record_object(const struct device_conf *c); /* a new reference; NULL without memory */

#endif
