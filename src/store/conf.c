/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c - keys of the group `store` */
#include "store/store.h"

static const char *const sync_words[] = { "full", "batch", NULL }; /* enum store_sync_mode */

const struct conf_item store_items[] = {
	CONF_WORD(
		struct store_conf, sync, "full", sync_words,
		.help = "full: the disk confirms each group of units before it is acknowledged; batch: groups are "
			"gathered for commit_ms first, which spares flash memory and costs that much time; units are "
			"acknowledged behind that, so a loss of power takes none along but may repeat what had come to "
			"its end within commit_ms"),
	CONF_UINT(struct store_conf, commit_ms, 2, 1, 1000, .unit = "ms",
		  .help = "With batch: the journal is synced at most this often"),
	CONF_END,
};
