/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - reports as JSON, the one renderer for plug-ins, admin listener and tools
 *
 * The objects are event/data and event/raw of the monitoring reference; members without a value are left out. Text that is not
 * UTF-8 is mended (U+FFFD), so what comes out is always sound JSON.
 */
#ifndef NIDDGW_MIRROR_JSON_H
#define NIDDGW_MIRROR_JSON_H

#include "mirror/report.h"

enum {
	JSON_VALUE_MOST = 64 << 10, /* octets of one value's text; a larger one becomes {"truncated":true,"bytes":n,"sha256":".."} */
	JSON_DOUBLE_SIZE = 32,      /* room that any number needs */
};

/**
 * @param flags  NIDDGW_JSON_ of plugin.h
 * @param size   room in buf, with a NUL at the end; 0: only measured, buf may be NULL
 * @return octets of the whole text without the NUL; when that is not below size, buf holds nothing useful. -EINVAL: SenML of a RAW report
 */
long json_report(const struct report *r, unsigned flags, char *buf, size_t size);
long json_value(const struct niddgw_value *v, unsigned flags, char *buf, size_t size); /* its member "value" alone, "null" when it has none; with NIDDGW_JSON_OBJECT the object */
/* The shortest text that reads back as the same number (finite); buf takes JSON_DOUBLE_SIZE. Returns its length. */
size_t json_double(char *buf, double v);
/* The same bounded writing for a text as a JSON string with its quotes. */
long json_text(const char *text, size_t len, char *buf, size_t size);

#endif
