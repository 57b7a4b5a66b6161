/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - configuration keys that sessions read: profiles, devices and rules */
#ifndef NIDDGW_SESSION_CONF_H
#define NIDDGW_SESSION_CONF_H

#include "config/schema.h"

enum profile_block { BLOCK_PASS, BLOCK_CLAMP, BLOCK_ASSEMBLE, BLOCK_REFUSE };
enum profile_queue { QUEUE_GATEWAY, QUEUE_SCEF, QUEUE_OFF };
enum profile_dtls { DTLS_RELAY, DTLS_TERMINATE, DTLS_OFF };
enum profile_oscore { OSCORE_AUTO, OSCORE_REQUIRE, OSCORE_OFF };
struct profile_conf {
	struct conf_head head;
	uint64_t mtu, ack_timeout_s, max_retransmit, nstart;
	double empty_ack_at;
	int queue, block, oscore, dtls;
	uint64_t queue_max, quota_units_per_min;
	uint64_t awake_window_s;             /* AWAKE_WINDOW_ABSENT: always awake, unless a registration carries Q */
	uint64_t units_per_window, window_s; /* both 0: unlimited */
	bool queue_execute, oscore_reblock;
	struct conf_texts proxy_allow;
};
#define AWAKE_WINDOW_ABSENT 86401
extern const struct conf_item profile_items[];
const struct profile_conf *profile_builtin(void); /* the defaults, name NULL */

/* A security context of a device: what its requests say of it. */
struct oscore_conf {
	struct conf_head head;   /* no name */
	const char *server;      /* NULL or "": any of its servers */
	const char *kid;         /* hexadecimal, its Sender ID; "" is one */
	const char *kid_context; /* hexadecimal; NULL: any */
};
#define KID_MAX 64    /* octets of a kid or kid context */
#define OSCORE_MAX 64 /* entries of one device */
struct device_conf {
	struct conf_head head;
	const char *link;
	const char *external_id, *msisdn, *address;
	const char *profile, *ep;
	struct conf_texts servers;
	struct conf_texts units; /* "/3303/0/5700=Cel" */
	const char *bootstrap_server;
	const char *psk_identity, *psk_key; /* identity NULL: ep, or the name; key: path of a secret file */
	const char *cert_file, *key_file;   /* NULL: those of the server */
	struct conf_list oscore; /* of struct oscore_conf */
};
extern const struct conf_item device_items[];

/* Provisioning on first contact. */
struct rule_conf {
	struct conf_head head; /* no name */
	const char *link, *match, *profile, *ep;
	struct conf_texts servers;
	const char *psk_key_dir; /* absolute */
};
extern const struct conf_item rule_items[];

/* The lists of one configuration; a NULL list is an empty one. */
struct session_lists {
	const struct conf_list *links, *servers, *profiles, *devices, *rules;
};
/* conf_fault()s for devices and rules: one identity that fits the link's type, known link, profile and servers, identities and ep unique;
 * a template that can become an endpoint name. */
void session_check(struct conf_load *load, const struct session_lists *all);

/* key NULL: the record itself; index -1: not an entry of a list. text is borrowed for the call. */
typedef void device_fault_fn(void *arg, const char *key, int index, const char *text);
/* The part of it that concerns one record alone, for those that do not stand in the files. Returns the number of faults. */
unsigned device_check(const struct device_conf *d, const struct session_lists *all, device_fault_fn *fault, void *arg);

/* ---- keys.c ---- */
/* The part of device_check() about keys: named where a server wants one, in pairs. Each returns the number of faults. */
unsigned keys_check(const struct device_conf *d, const struct session_lists *all, device_fault_fn *fault, void *arg);
unsigned keys_check_files(const struct device_conf *d, device_fault_fn *fault, void *arg); /* what they hold: reads them */
unsigned keys_check_rule(const struct rule_conf *r, const struct session_lists *all, device_fault_fn *fault, void *arg);
bool keys_rule_wants_psk(const struct rule_conf *r, const struct session_lists *all); /* devices that it makes need a key */

#endif
