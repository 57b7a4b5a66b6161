/* SPDX-License-Identifier: Apache-2.0 */
/* list.h - a JSON array of objects, cut apart as it arrives
 *
 * The list of configurations has no paging and grows with the fleet, so it is never held as a whole: each object of the top
 * level is handed over when its last octet is in. Memory is that of the largest object, at most T8_LIST_OBJECT.
 */
#ifndef NIDDGW_LINK_T8_LIST_H
#define NIDDGW_LINK_T8_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define T8_LIST_OBJECT (64u << 10)

typedef void t8_list_fn(void *arg, const char *text, size_t len); /* one object; borrowed for the call */

struct t8_list {
	t8_list_fn *fn;
	void *arg;
	char *buf; /* owned */
	size_t len, size;
	unsigned depth;
	uint8_t state;
	bool in_string, escaped, skipping;
	uint64_t objects, skipped; /* skipped: larger than T8_LIST_OBJECT, or memory was short */
};

void t8_list_init(struct t8_list *l, t8_list_fn *fn, void *arg);
void t8_list_fini(struct t8_list *l);
int t8_list_feed(struct t8_list *l, const char *data, size_t len); /* 0; -EBADMSG no array of objects: stays so */
bool t8_list_complete(const struct t8_list *l);                    /* the closing bracket has been seen */

#endif
