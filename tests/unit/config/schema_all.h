/* SPDX-License-Identifier: Apache-2.0 */
/* schema_all.h - a small schema that has every type, for tests and the fuzz target */
#ifndef TESTS_UNIT_CONFIG_SCHEMA_ALL_H
#define TESTS_UNIT_CONFIG_SCHEMA_ALL_H

#include "config/config.h"

struct t_gateway {
	const char *id;
	uint64_t big;
	double share;
	bool quiet;
	int level;
	struct conf_texts names;
};
struct t_callback {
	const char *listen, *cert_file;
	struct conf_texts allow;
};
struct t_link { /* common */
	struct conf_head head;
	int type;
	bool enabled;
};
struct t_t8 {
	struct t_link link;
	const char *api_root, *password, *key_file;
	int http;
	uint64_t baud;
	struct t_callback callback;
};
struct t_udp {
	struct t_link link;
	const char *listen;
};
struct t_kid {
	struct conf_head head;
	const char *kid;
};
struct t_device {
	struct conf_head head;
	const char *link, *ep;
	struct conf_texts servers;
	struct conf_list oscore;
};
struct t_root {
	struct t_gateway gateway;
	struct conf_list links, devices;
};

static const char *const t_levels[] = { "low", "high", "later", NULL };
static const char *const t_types[] = { "t8", "modem", "udp", NULL };
static const char *const t_http[] = { "auto", "1.1", "2", NULL };

static const struct conf_item t_gateway_items[] = {
	CONF_TEXT(struct t_gateway, id, "gw", .help = "Name of this gateway"),
	CONF_UINT(struct t_gateway, big, 4000000000, 0, 1e15, .unit = "octets", .help = "Something large"),
	CONF_REAL(struct t_gateway, share, 0.6, 0.1, 1, .help = "A share"),
	CONF_BOOL(struct t_gateway, quiet, true, .help = "Say less", .reload = CONF_RESTART),
	CONF_WORD(struct t_gateway, level, "low", t_levels, .unbuilt = 1u << 2, .help = "How much"),
	CONF_TEXTS(struct t_gateway, names, .help = "Other names"),
	CONF_LATER("colour"),
	CONF_END,
};
static const struct conf_item t_callback_items[] = {
	CONF_TEXT(struct t_callback, listen, NULL, .required = true, .help = "Where to listen"),
	CONF_FILE(struct t_callback, cert_file, .help = "Certificate"),
	CONF_TEXTS(struct t_callback, allow, .help = "Who may come"),
	CONF_END,
};
static const struct conf_item t_link_items[] = {
	CONF_WORD(struct t_link, type, NULL, t_types, .required = true, .unbuilt = 1u << 1, .help = "Kind"),
	CONF_BOOL(struct t_link, enabled, true, .help = "Use it"),
	CONF_END,
};
static const struct conf_item t_t8_items[] = {
	CONF_TEXT(struct t_t8, api_root, NULL, .required = true, .help = "Root of the API"),
	CONF_SECRET(struct t_t8, password, .help = "Password"),
	CONF_KEYFILE(struct t_t8, key_file, .help = "Key"),
	CONF_WORD(struct t_t8, http, "auto", t_http, .help = "Version"),
	CONF_UINT(struct t_t8, baud, 115200, 9600, 921600, .unit = "baud", .help = "Speed"),
	CONF_GROUP(struct t_t8, callback, t_callback_items, .help = "Listener"),
	CONF_END,
};
static const struct conf_item t_udp_items[] = {
	CONF_TEXT(struct t_udp, listen, NULL, .help = "Where to listen"),
	CONF_END,
};
static const struct conf_variant t_variants[] = {
	{ "t8", t_t8_items, sizeof(struct t_t8), true },
	{ "modem", NULL, sizeof(struct t_link), false },
	{ "udp", t_udp_items, sizeof(struct t_udp), true },
	{ 0 },
};
static const struct conf_item t_kid_items[] = {
	CONF_TEXT(struct t_kid, kid, NULL, .help = "Key id"),
	CONF_END,
};
static const struct conf_item t_device_items[] = {
	CONF_TEXT(struct t_device, link, NULL, .required = true, .help = "Its link"),
	CONF_TEXT(struct t_device, ep, NULL, .help = "Endpoint name"),
	CONF_TEXTS(struct t_device, servers, .help = "Its servers"),
	CONF_LIST(struct t_device, oscore, t_kid_items, struct t_kid, .unnamed = true, .help = "Contexts"),
	CONF_END,
};
static const struct conf_item t_items[] = {
	CONF_GROUP(struct t_root, gateway, t_gateway_items, .help = "The gateway"),
	CONF_LIST(struct t_root, links, t_link_items, struct t_link, .variants = t_variants, .help = "Links"),
	CONF_LIST(struct t_root, devices, t_device_items, struct t_device, .help = "Devices"),
	CONF_END,
};

#endif
