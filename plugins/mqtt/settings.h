/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - the options that say which broker and as whom: the same for every plug-in that has one */
#ifndef NIDDGW_MQTT_SETTINGS_H
#define NIDDGW_MQTT_SETTINGS_H

#include "broker.h"
#include "niddgw/plugin.h"

extern const char *const settings_scheme_words[], *const settings_protocol_words[];
/* clang-format off */
#define SETTINGS_OPTIONS \
	{ "broker", NIDDGW_OPTION_URL, true, NULL, settings_scheme_words, 0, 0, "mqtt://HOST[:PORT] or mqtts://HOST[:PORT]" }, \
	{ "protocol", NIDDGW_OPTION_TEXT, false, "5", settings_protocol_words, 0, 0, "version of MQTT" }, \
	{ "user", NIDDGW_OPTION_TEXT, false, NULL, NULL, 0, 0, "user name at the broker" }, \
	{ "password", NIDDGW_OPTION_SECRET, false, NULL, NULL, 0, 0, "password of that user" }, \
	{ "ca_file", NIDDGW_OPTION_FILE, false, NULL, NULL, 0, 0, "certificates that the broker's is checked with; the system's when absent" }, \
	{ "server_name", NIDDGW_OPTION_TEXT, false, NULL, NULL, 0, 0, "name that the broker's certificate must have; the host of broker when absent" }, \
	{ "cert_file", NIDDGW_OPTION_FILE, false, NULL, NULL, 0, 0, "client certificate, PEM" }, \
	{ "key_file", NIDDGW_OPTION_SECRET_FILE, false, NULL, NULL, 0, 0, "its key, PEM; in cert_file when absent" }
/* clang-format on */

struct settings {
	struct broker_conf conf; /* host, port, tls, v5, user, password and files are set; they point into this struct and to the host's options */
	char host[256], password[1024];
};
/* 0; -EINVAL, and *why says which option cannot be used. */
int settings_read(struct settings *s, struct niddgw_host *host, const char **why);
void settings_wipe(struct settings *s);

#endif
