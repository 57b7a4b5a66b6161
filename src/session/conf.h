/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - configuration keys that sessions read: profiles and devices */
#ifndef NIDDGW_SESSION_CONF_H
#define NIDDGW_SESSION_CONF_H

#include "config/schema.h"

enum profile_block { BLOCK_PASS, BLOCK_CLAMP, BLOCK_ASSEMBLE, BLOCK_REFUSE };
enum profile_queue { QUEUE_GATEWAY, QUEUE_SCEF, QUEUE_OFF };
enum profile_oscore { OSCORE_AUTO, OSCORE_REQUIRE, OSCORE_OFF };
struct profile_conf {
	struct conf_head head;
	uint64_t mtu, ack_timeout_s, max_retransmit, nstart;
	double empty_ack_at;
	int queue, block, oscore;
	uint64_t queue_max, quota_units_per_min;
};
extern const struct conf_item profile_items[];
const struct profile_conf *profile_builtin(void); /* the defaults, name NULL */

struct device_conf {
	struct conf_head head;
	const char *link;
	const char *external_id, *msisdn, *address;
	const char *profile, *ep;
	struct conf_texts servers;
};
extern const struct conf_item device_items[];

/* conf_fault()s for profiles and devices: one identity that fits the link's type, known link, profile and servers, identities and ep unique. */
void session_check(struct conf_load *load, const struct conf_list *links, const struct conf_list *servers, const struct conf_list *profiles,
		   const struct conf_list *devices);

#endif
