/* SPDX-License-Identifier: Apache-2.0 */
/* failpoint.c - places at which a test ends the process as a power cut would: no handler, no flush, no farewell
 *
 * journal.write .written .synced .answer   before a group is written; before it is synced; after; before anybody is
 * told journal.roll .rolled                     before a segment is begun; when its file is whole and has no name yet
 * journal.reclaim                          before the oldest segment is deleted
 * journal.move .moved                      before open entries are written again at the end; when they are there twice
 * state.commit .committed                  before and after the end of a transaction of state
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "store/inside.h"

static struct {
	pthread_once_t once;
	const char *name; /* NULL: none is set, which is the rule */
	size_t len;
	atomic_long left;
} fail = { .once = PTHREAD_ONCE_INIT };

void store_failpoint_look_up(void)
{
	const char *name = getenv("NIDDGW_FAIL"), *colon = name ? strchr(name, ':') : NULL;

	fail.name = name && *name ? name : NULL;
	fail.len = colon ? (size_t)(colon - name) : name ? strlen(name) : 0;
	atomic_store(&fail.left, colon ? strtol(colon + 1, NULL, 10) : 1);
}

void store_failpoint(const char *name)
{
	pthread_once(&fail.once, store_failpoint_look_up);
	if (!fail.name || strlen(name) != fail.len || memcmp(name, fail.name, fail.len) != 0)
		return;
	if (atomic_fetch_sub(&fail.left, 1) == 1)
		raise(SIGKILL);
}
