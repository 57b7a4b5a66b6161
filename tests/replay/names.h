/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - words of messages, for reading and for printing */
#ifndef NIDDGW_REPLAY_NAMES_H
#define NIDDGW_REPLAY_NAMES_H

#include "replay.h"

enum value_form { AS_UINT, AS_HEX, AS_TEXT, AS_BLOCK, AS_SEGMENTS };
struct option_name {
	const char *name;
	uint32_t number;
	enum value_form form;
};
extern const struct option_name option_names[]; /* ends with a NULL name */
extern const char *const type_names[4], *const method_names[8];

#endif
