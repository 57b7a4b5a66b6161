/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - keys of a link of type t8 */
#ifndef NIDDGW_LINK_T8_CONF_H
#define NIDDGW_LINK_T8_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "link/link.h"

enum t8_config_mode { T8_CONFIG_API, T8_CONFIG_ADOPT, T8_CONFIG_NONE };
enum t8_packet_unit { T8_UNIT_BITS, T8_UNIT_OCTETS, T8_UNIT_AUTO };
enum t8_data_ack { T8_ACK_204, T8_ACK_200 };

struct t8_callback_conf {
	const char *listen, *url, *path;
	const char *cert_file, *key_file, *client_ca_file, *crl_file, *bearer;
	struct conf_texts allow, trusted_proxies;
	bool allow_unauthenticated;
	uint64_t max_header_bytes, max_header_lines, max_body_bytes, request_s, max_connections, max_connections_per_address;
};

struct t8_conf {
	struct link_conf base;
	const char *api_root, *scs_as_id;
	bool allow_cleartext;
	int auth; /* enum http_auth */
	const char *user, *password;
	const char *token_url, *client_id, *client_secret, *scope;
	int token_auth; /* 0 body, 1 basic */
	const char *ca_file, *cert_file, *key_file, *proxy;
	int http; /* enum http_version */
	int dialect;
	uint64_t release;
	const char *features;
	bool lenient;
	int config_mode; /* enum t8_config_mode */
	uint64_t config_duration_s; /* 0: none is asked for */
	const char *pdn_option;
	bool test_notification;
	int max_packet_unit; /* enum t8_packet_unit */
	uint64_t maximum_latency_s, delivery_timeout_s;
	bool rds;
	struct conf_texts rds_ports; /* "UE:SCEF" */
	int data_ack; /* enum t8_data_ack */
	struct t8_callback_conf callback;
};

extern const struct conf_item link_t8_items[];

#define T8_RDS_PORTS_MAX 16 /* pairs of one link */
bool t8_rds_pair(const char *text, unsigned *ue, unsigned *scef); /* "UE:SCEF", 0 to 15 each; false: not of this form */

/* conf_fault()s over the keys of one link and against the other t8 links of all. */
void t8_conf_check(struct conf_load *load, const struct link_conf *conf, const struct conf_list *all);

/* An URL taken apart, as far as the checks and the callback path need it. */
struct t8_url {
	bool https;
	char host[256];      /* without brackets */
	const char *path;    /* within the text; "" or from the first slash on */
};
int t8_url_parse(struct t8_url *out, const char *text); /* -EBADMSG: no absolute http(s) URL, or with user-info, query or fragment */
bool t8_url_is_loopback(const struct t8_url *u);

/* Does the callback of this configuration speak TLS? By the scheme of url; without one, when there is a certificate. */
bool t8_callback_tls(const struct t8_callback_conf *c);

#endif
