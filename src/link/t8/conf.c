/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c - the table of keys of a t8 link
 *
 * Keys of the contract that this version does not do yet stand here too, so that giving one is answered with that, not
 * with "unknown key".
 */
#include "link/t8/conf.h"

#include <stddef.h>

static const char *const auth_words[] = { "none", "basic", "oauth2", "mtls", NULL }; /* enum http_auth */
static const char *const token_auth_words[] = { "body", "basic", NULL };
static const char *const http_words[] = { "auto", "1.1", "2", NULL }; /* enum http_version */
static const char *const dialect_words[] = { "3gpp", "thingspace", NULL };
static const char *const config_mode_words[] = { "api", "adopt", "none", NULL };
static const char *const packet_unit_words[] = { "bits", "octets", "auto", NULL };
static const char *const data_ack_words[] = { "204", "200", NULL };

/* clang-format off */
static const struct conf_item callback_items[] = {
	CONF_TEXT(struct t8_callback_conf, listen, NULL, .reload = CONF_RESTART,
		  .help = "Address on which notifications of the peer are taken, HOST:PORT."),
	CONF_TEXT(struct t8_callback_conf, url, NULL, .reload = CONF_RESTART,
		  .help = "How the peer reaches that address; a secret path is appended. Plain HTTP when it begins with http://."),
	CONF_TEXT(struct t8_callback_conf, path, NULL, .reload = CONF_RESTART,
		  .help = "Path in place of the secret one, for configurations that the operator provisioned."),
	CONF_FILE(struct t8_callback_conf, cert_file, .help = "Certificate chain of the listener, PEM."),
	CONF_KEYFILE(struct t8_callback_conf, key_file, .help = "Its private key, PEM."),
	CONF_FILE(struct t8_callback_conf, client_ca_file, .help = "The peer must show a certificate of one of these authorities."),
	CONF_FILE(struct t8_callback_conf, crl_file, .help = "Revoked client certificates."),
	CONF_SECRET(struct t8_callback_conf, bearer, .help = "The peer must send this token in Authorization: Bearer."),
	CONF_TEXTS(struct t8_callback_conf, allow, .help = "Networks the peer may call from, ADDR/LEN."),
	CONF_TEXTS(struct t8_callback_conf, trusted_proxies, .help = "Proxies whose X-Forwarded-For is believed, ADDR/LEN."),
	CONF_BOOL(struct t8_callback_conf, allow_unauthenticated, false,
		  .help = "Take notifications from anybody who knows the path; a standing alarm says so."),
	CONF_UINT(struct t8_callback_conf, max_header_bytes, 16384, 1024, 65536, .unit = "octets",
		  .help = "Longest request line and header; above it 431."),
	CONF_UINT(struct t8_callback_conf, max_header_lines, 64, 8, 256, .help = "Most header lines; above it 431."),
	CONF_UINT(struct t8_callback_conf, max_body_bytes, 65536, 4096, 1048576, .unit = "octets", .help = "Longest body; above it 413."),
	CONF_UINT(struct t8_callback_conf, request_s, 10, 1, 60, .unit = "s", .help = "From the first octet of a request to its last; above it 408."),
	CONF_UINT(struct t8_callback_conf, max_connections, 256, 1, 65536, .help = "Connections of the listener in all."),
	CONF_UINT(struct t8_callback_conf, max_connections_per_address, 224, 1, 65536,
		  .help = "Connections of one address. A peer may have just one, with a connection for each notification."),
	CONF_END
};

const struct conf_item link_t8_items[] = {
	CONF_TEXT(struct t8_conf, api_root, NULL, .required = true, .reload = CONF_RESTART,
		  .help = "Base of the peer's API, before /3gpp-nidd. http:// only on loopback or with allow_cleartext."),
	CONF_TEXT(struct t8_conf, scs_as_id, NULL, .required = true, .reload = CONF_RESTART, .help = "Our identifier in the resource paths."),
	CONF_BOOL(struct t8_conf, allow_cleartext, false, .help = "Accept http:// to other hosts than loopback."),
	CONF_WORD(struct t8_conf, auth, "none", auth_words, .reload = CONF_RESTART, .help = "How we authenticate at the peer."),
	CONF_TEXT(struct t8_conf, user, NULL, .reload = CONF_RESTART, .help = "User of auth basic."),
	CONF_SECRET(struct t8_conf, password, .reload = CONF_RESTART, .help = "Its password."),
	CONF_TEXT(struct t8_conf, token_url, NULL, .reload = CONF_RESTART, .help = "Token endpoint of auth oauth2."),
	CONF_WORD(struct t8_conf, token_auth, "body", token_auth_words, .reload = CONF_RESTART,
		  .help = "Where the client credentials go in a token request."),
	CONF_TEXT(struct t8_conf, client_id, NULL, .reload = CONF_RESTART, .help = "Client of auth oauth2."),
	CONF_SECRET(struct t8_conf, client_secret, .reload = CONF_RESTART, .help = "Its secret."),
	CONF_TEXT(struct t8_conf, scope, NULL, .reload = CONF_RESTART, .help = "Scope asked for with the token."),
	CONF_FILE(struct t8_conf, ca_file, .reload = CONF_RESTART, .help = "Authorities of the peer's certificate; the system's when absent."),
	CONF_FILE(struct t8_conf, cert_file, .reload = CONF_RESTART, .help = "Our client certificate, PEM."),
	CONF_KEYFILE(struct t8_conf, key_file, .reload = CONF_RESTART, .help = "Its private key, PEM."),
	CONF_TEXT(struct t8_conf, proxy, NULL, .reload = CONF_RESTART, .help = "Proxy on the way to the peer."),
	CONF_WORD(struct t8_conf, http, "auto", http_words, .unbuilt = 1u << 2, .reload = CONF_RESTART, .help = "HTTP version towards the peer."),
	CONF_WORD(struct t8_conf, dialect, "3gpp", dialect_words, .unbuilt = 1u << 1, .reload = CONF_RESTART, .help = "API of the peer."),
	CONF_UINT(struct t8_conf, release, 19, 15, 19, .reload = CONF_RESTART,
		  .help = "3GPP release of the peer; below 17 a changed callback means delete and create again."),
	CONF_TEXT(struct t8_conf, features, NULL, .reload = CONF_RESTART, .help = "supportedFeatures to offer, hexadecimal; ours when absent."),
	CONF_BOOL(struct t8_conf, lenient, false, .help = "Take notifications of other media types and with padding faults."),
	CONF_WORD(struct t8_conf, config_mode, "api", config_mode_words, .reload = CONF_RESTART,
		  .help = "api: make NIDD configurations; adopt: use those that are there; none: learn them from notifications."),
	CONF_UINT(struct t8_conf, config_duration_s, 0, 0, 315360000, .unit = "s",
		  .help = "Life asked for a configuration, renewed at 80 %; 0: unlimited."),
	CONF_TEXT(struct t8_conf, pdn_option, NULL,
		  .help = "WAIT_FOR_UE, INDICATE_ERROR or SEND_TRIGGER: what the network does without a PDN connection."),
	CONF_BOOL(struct t8_conf, test_notification, true, .help = "Ask for a test notification with each new configuration."),
	CONF_WORD(struct t8_conf, max_packet_unit, "bits", packet_unit_words, .help = "Unit of maximumPacketSize at this peer."),
	CONF_UINT(struct t8_conf, maximum_latency_s, 0, 0, 2592000, .unit = "s", .help = "maximumLatency of downlink data to devices whose profile has queue = \"scef\"; 0: as long as the server waits."),
	CONF_UINT(struct t8_conf, delivery_timeout_s, 60, 1, 600, .unit = "s", .help = "How long the answer to a downlink request may take."),
	CONF_BOOL(struct t8_conf, rds, false, .help = "Ask for the reliable data service."),
	CONF_TEXTS(struct t8_conf, rds_ports, .reload = CONF_RESTART,
		   .help = "Static port pairs of the reliable data service, \"UE:SCEF\" with ports from 0 to 15, for configurations that we make. A server is "
			   "told by its rds_port."),
	CONF_WORD(struct t8_conf, data_ack, "204", data_ack_words, .help = "How uplink data is acknowledged: without or with a body."),
	CONF_GROUP(struct t8_conf, callback, callback_items, .help = "Where notifications arrive."),
	CONF_END
};
/* clang-format on */
