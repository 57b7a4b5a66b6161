/* SPDX-License-Identifier: Apache-2.0 */
/* config_act.h - the actions of the table in config.c
 *
 * Each returns 0: done, on to the next state; or -EAGAIN, -ENOMEM, -EMSGSIZE: its request could not be started, the device stays
 * where it is and is queued again.
 */
#ifndef NIDDGW_LINK_T8_CONFIG_ACT_H
#define NIDDGW_LINK_T8_CONFIG_ACT_H

#include "link/t8/t8.h"

typedef int t8_act_fn(struct t8_dev *d, const struct t8_config_answer *a);
t8_act_fn t8_act_activate, t8_act_bar, t8_act_conflict, t8_act_created, t8_act_delete, t8_act_lose, t8_act_patch, t8_act_patched, t8_act_post, t8_act_queue, t8_act_refresh, t8_act_reject, t8_act_removed, t8_act_renew, t8_act_renew_later, t8_act_renewed, t8_act_replace, t8_act_revive, t8_act_stale;

#endif
