/* SPDX-License-Identifier: Apache-2.0 */
/* scef.c - niddgw-sim scef: options, start and end */
#include "sim/scef.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sim/sim.h"

static const char *const auth_words[] = { "none", "bearer", "basic", NULL };
static const char *const link_words[] = { "absolute", "relative", "foreign", "encoded", NULL };
static const char *const base64_words[] = { "standard", "urlsafe", "unpadded", "lines", NULL };
static const char *const id_words[] = { "same", "both", "other", NULL };
static const char *const test_words[] = { "after", "before", "never", NULL };

#define AT(member) offsetof(struct scef_opts, member)
const struct args_item scef_items[] = {
	{ ARGS_HEAD, .help = "The T8 side" },
	{ ARGS_TEXT, false, "listen", "HOST:PORT", AT(listen), "127.0.0.1:8080", 0, 0, NULL,
	  "where the API is served; port 0 takes a free one, told by the ready event" },
	{ ARGS_TEXT, false, "prefix", "PATH", AT(prefix), NULL, 0, 0, NULL,
	  "a path before /3gpp-nidd/v1 in links; any prefix is accepted in requests" },
	{ ARGS_TEXT, false, "tls-cert", "FILE", AT(tls_cert), NULL, 0, 0, NULL,
	  "PEM chain: the API is served over TLS" },
	{ ARGS_TEXT, false, "tls-key", "FILE", AT(tls_key), NULL, 0, 0, NULL, "its key" },
	{ ARGS_TEXT, false, "client-ca", "FILE", AT(client_ca), NULL, 0, 0, NULL,
	  "a client certificate of these authorities is required" },
	{ ARGS_WORD, true, "auth", NULL, AT(auth), "none", 0, 0, auth_words,
	  "what a caller has to show: nothing, a token of POST /token, or user and password" },
	{ ARGS_TEXT, true, "client-id", "TEXT", AT(client_id), "gw", 0, 0, NULL, "client that gets tokens" },
	{ ARGS_TEXT, true, "client-secret", "TEXT", AT(client_secret), "secret", 0, 0, NULL,
	  "its secret, taken from the form or from Basic" },
	{ ARGS_UINT, true, "token-seconds", "S", AT(token_s), "3600", 1, 86400000, NULL, "life of a token" },
	{ ARGS_TEXT, true, "user", "TEXT", AT(user), "gw", 0, 0, NULL, "user of Basic" },
	{ ARGS_TEXT, true, "password", "TEXT", AT(password), "secret", 0, 0, NULL, "its password" },
	{ ARGS_TEXT, false, "control", "unix:PATH|HOST:PORT", AT(control), NULL, 0, 0, NULL,
	  "takes commands there as well as on standard input; every line printed goes there too" },
	{ ARGS_HEAD, .help = "The radio and its users" },
	{ ARGS_TEXT, false, "radio", "udp:HOST:PORT", AT(radio), NULL, 0, 0, NULL,
	  "each source of datagrams is a device: what it sends becomes an uplink notification, a delivery is sent back "
	  "to it. Without a radio uplinks come by the command uplink, and a delivery is only printed" },
	{ ARGS_TEXT, false, "external-id", "TEMPLATE", AT(external_id), "dev-{port}@iot.example", 0, 0, NULL,
	  "identity of a source that no other rule names: {port} {addr} {last} (octet of the address) {n} (1, 2 .. in "
	  "order of first datagram)" },
	{ ARGS_TEXT, false, "msisdn", "TEMPLATE", AT(msisdn), "88351000{n}", 0, 0, NULL,
	  "MSISDN of a user, the same placeholders" },
	{ ARGS_TEXT, false, "map", "FILE", AT(map), NULL, 0, 0, NULL,
	  "lines EXTERNAL-ID[,MSISDN] ADDRESS[:PORT]: fixed users" },
	{ ARGS_LIST, false, "id", "EXTERNAL-ID[,MSISDN]", AT(ids), NULL, 0, 0, NULL,
	  "given to unknown sources in order of their first datagram, before the template" },
	{ ARGS_UINT, true, "hold-ms", "MS", AT(hold_ms), "2000", 0, 600000, NULL,
	  "an uplink of a user without a configuration waits so long for one, then it is dropped" },
	{ ARGS_UINT, true, "radio-delay-ms", "MS", AT(radio_delay_ms), "0", 0, 600000, NULL,
	  "time in the air, each way" },
	{ ARGS_UINT, true, "loss-percent", "N", AT(loss_percent), "0", 0, 100, NULL,
	  "datagrams lost, each way, by the seed" },
	{ ARGS_UINT, true, "duplicate-percent", "N", AT(duplicate_percent), "0", 0, 100, NULL,
	  "uplinks that are notified twice, by the seed" },
	{ ARGS_HEAD, .help = "Notifications" },
	{ ARGS_TEXT, false, "destination", "URL", AT(destination), NULL, 0, 0, NULL,
	  "provisioned callback: notificationDestination is ignored" },
	{ ARGS_TEXT, false, "notify-ca", "FILE", AT(ca_file), NULL, 0, 0, NULL,
	  "authorities for the callback's certificate" },
	{ ARGS_TEXT, false, "notify-cert", "FILE", AT(notify_cert), NULL, 0, 0, NULL,
	  "client certificate shown to the callback" },
	{ ARGS_TEXT, false, "notify-key", "FILE", AT(notify_key), NULL, 0, 0, NULL, "its key" },
	{ ARGS_TEXT, true, "notify-bearer", "TOKEN", AT(notify_bearer), NULL, 0, 0, NULL,
	  "Authorization: Bearer TOKEN in notifications" },
	{ ARGS_UINT, true, "notify-timeout-ms", "MS", AT(notify_timeout_ms), "30000", 1, 600000, NULL,
	  "a notification without an answer fails after this" },
	{ ARGS_UINT, true, "notify-retries", "N", AT(notify_retries), "0", 0, 100, NULL,
	  "more tries after a failure or 5xx (an SCEF need not try again)" },
	{ ARGS_UINT, true, "notify-retry-ms", "MS", AT(notify_retry_ms), "1000", 1, 600000, NULL, "between them" },
	{ ARGS_FLAG, true, "parallel", NULL, AT(parallel), NULL, 0, 0, NULL,
	  "notifications of one user do not wait for each other" },
	{ ARGS_HEAD, .help = "Deviations of real platforms" },
	{ ARGS_WORD, true, "links", NULL, AT(links), "absolute", 0, 0, link_words,
	  "self, Location and the links in notifications: absolute, relative, with a foreign host and prefix, or "
	  "percent-encoded" },
	{ ARGS_WORD, true, "base64", NULL, AT(base64), "standard", 0, 0, base64_words,
	  "how data is written in notifications" },
	{ ARGS_FLAG, true, "escape-equals", NULL, AT(escape_equals), NULL, 0, 0, NULL, "= is written \\u003d in JSON" },
	{ ARGS_WORD, true, "ids", NULL, AT(answer_ids), "same", 0, 0, id_words,
	  "answers and notifications name the user by the id it was asked by, by both, or by the other one" },
	{ ARGS_FLAG, true, "status-alias", NULL, AT(status_alias), NULL, 0, 0, NULL,
	  "answers to deliveries say status in place of deliveryStatus" },
	{ ARGS_FLAG, true, "omit-data", NULL, AT(omit_data), NULL, 0, 0, NULL, "answers to deliveries have no data" },
	{ ARGS_FLAG, true, "omit-status", NULL, AT(omit_status), NULL, 0, 0, NULL,
	  "answers to deliveries have no deliveryStatus" },
	{ ARGS_FLAG, true, "omit-location", NULL, AT(omit_location), NULL, 0, 0, NULL, "201 without Location" },
	{ ARGS_UINT, true, "max-packet", "N", AT(max_packet), "10864", 0, 1000000, NULL,
	  "maximumPacketSize, in bits when the platform does it right; 0: left out" },
	{ ARGS_FLAG, true, "enforce-size", NULL, AT(enforce_size), "on", 0, 0, NULL,
	  "larger deliveries get 403 DATA_TOO_LARGE (a max-packet up to 1500 counts as octets)" },
	{ ARGS_UINT, true, "max-duration", "S", AT(max_duration_s), "0", 0, 1000000000, NULL,
	  "configurations end after this, whatever was asked for; 0: as asked" },
	{ ARGS_TEXT, true, "features", "HEX", AT(features), "e", 0, 0, NULL, "supportedFeatures of this SCEF" },
	{ ARGS_UINT, true, "exists-status", "CODE", AT(exists_status), "409", 0, 599, NULL,
	  "answer to a second configuration for a user; 0: it replaces the first" },
	{ ARGS_FLAG, true, "lenient", NULL, AT(lenient), NULL, 0, 0, NULL, "any media type is taken" },
	{ ARGS_HEAD, .help = "Behaviour" },
	{ ARGS_WORD, true, "test", NULL, AT(test), "after", 0, 0, test_words,
	  "a wanted test notification comes after the 201, before it, or never" },
	{ ARGS_FLAG, true, "buffering", NULL, AT(buffering), NULL, 0, 0, NULL,
	  "every delivery is kept (201 BUFFERING) until the command flush" },
	{ ARGS_FLAG, true, "auto-flush", NULL, AT(auto_flush), "on", 0, 0, NULL,
	  "what waits for a sleeping or unknown device is sent when it is heard" },
	{ ARGS_FLAG, true, "status-before-answer", NULL, AT(status_before_answer), NULL, 0, 0, NULL,
	  "a buffered delivery is done, and notified, before its 201 leaves" },
	{ ARGS_TEXT, true, "success", "WORD", AT(success), "SUCCESS", 0, 0, NULL, "deliveryStatus of what was sent" },
	{ ARGS_UINT, true, "retry-after", "S", AT(retry_after_s), "0", 0, 1000000000, NULL,
	  "requestedRetransmissionTime so far ahead in failures; 0: left out" },
	{ ARGS_UINT, true, "delay-ms", "MS", AT(delay_ms), "0", 0, 600000, NULL, "every answer leaves so much later" },
	{ ARGS_HEAD, .help = "The run" },
	{ ARGS_FLAG, false, "quiet", NULL, AT(quiet), NULL, 0, 0, NULL, "prints answers to commands only" },
	{ ARGS_UINT, false, "seconds", "S", AT(seconds), "0", 0, 86400000, NULL,
	  "ends by itself after so long; 0: never" },
	{ ARGS_UINT, false, "seed", "N", AT(seed), "0", 0, UINT64_MAX, NULL,
	  "reproducible losses, tokens and ids; 0: unpredictable" },
	{ .kind = ARGS_HEAD },
};
#undef AT

static const char usage[] =
	"[OPTION ..]\n\n"
	"An SCEF: serves the T8 NIDD API of 3GPP TS 29.122 (configurations, downlink-data-deliveries, rds-ports), a "
	"token endpoint\n"
	"POST /token, and sends test, uplink, delivery status and configuration status notifications. Prints one JSON "
	"object per\n"
	"line: ready, request (each HTTP request with its answer), notify (each notification with its answer), uplink, "
	"downlink,\n"
	"uplink_held, uplink_dropped, lost, buffered, delivered, refused.\n\n"
	"Commands, one a line, JSON or words (the command help lists them all):\n"
	"  {\"cmd\":\"uplink\",\"external_id\":\"m1@iot.example\",\"data\":\"4401..\"}     a unit, as if from the "
	"radio\n"
	"  "
	"{\"cmd\":\"fault\",\"on\":\"delivery\",\"status\":500,\"cause\":\"TEMPORARILY_NOT_REACHABLE\",\"retry_s\":90,"
	"\"times\":1}\n"
	"  {\"cmd\":\"fault\",\"on\":\"delivery\",\"lost\":true,\"times\":1}                processed, then the "
	"connection is reset\n"
	"  {\"cmd\":\"fault\",\"on\":\"any\",\"status\":503,\"headers\":{\"Retry-After\":\"20\"},\"times\":1}\n"
	"  {\"cmd\":\"notify\",\"external_id\":\"m1@iot.example\",\"body\":{..}|\"text\",\"headers\":{..}}\n"
	"  buffering on | flush m1@iot.example | status m1@iot.example TERMINATED | sleep m1@iot.example on | restart "
	"| expire";

void scef_event(struct scef *s, json_t *ev)
{
	console_event(s->console, ev);
}

static void on_stop(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	loop_stop(container_of(t, struct scef, stop)->loop);
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "niddgw-sim scef: %s: %s\n", what, strerror(-err));
	return err;
}

int scef_listen(struct scef *s)
{
	const struct http_limits limits = { .header_bytes = 32768,
					    .header_lines = 100,
					    .body_bytes = 8u << 20,
					    .request_ms = 60000,
					    .idle_ms = 120000,
					    .connections = 10000,
					    .connections_per_address = 10000 };
	const struct http_tls_conf tls = { .cert_file = s->opts.tls_cert,
					   .key_file = s->opts.tls_key,
					   .client_ca_file = s->opts.client_ca };

	return http_server_open(&s->server, s->loop, &s->local, s->opts.tls_cert ? &tls : NULL, &limits, &scef_http, s);
}

static int start_api(struct scef *s)
{
	char text[ADDR_TEXT_MAX];
	int err = addr_parse(&s->local, s->opts.listen, true) ? -EINVAL : 0;

	if (err)
		return fail(s->opts.listen, err);
	err = scef_listen(s);
	if (err) {
		fail(s->opts.listen, err);
		return -EIO; /* an address in use or a bad certificate is no wrong usage */
	}
	addr_set_port(&s->local, http_server_port(s->server));
	addr_format(&s->local, text, sizeof text);
	snprintf(s->root, sizeof s->root, "%s://%s%s", s->opts.tls_cert ? "https" : "http", text,
		 s->opts.prefix ? s->opts.prefix : "");
	return 0;
}

static int start(void *arg)
{
	struct scef *s = arg;
	const struct console_conf conf = { s->opts.control, s->opts.quiet, scef_verbs, s };
	const char *radio = s->opts.radio ? s->opts.radio + (strncmp(s->opts.radio, "udp:", 4) ? 0 : 4) : NULL;
	int err;

	log_set(LOG_WARNING, LOG_TEXT);
	err = start_api(s);
	if (err)
		return err;
	err = scef_users_load(s);
	if (err)
		return fail(s->opts.map, err);
	err = scef_radio_open(s);
	if (err)
		return fail(radio ? radio : "radio", err);
	err = console_open(&s->console, s->loop, &conf);
	if (err)
		return fail(s->opts.control ? s->opts.control : "standard input", err);
	console_print(
		s->console,
		json_pack("{s:s, s:s, s:s, s:s?}", "ev", "ready", "sim", "scef", "root", s->root, "radio", radio));
	if (s->opts.seconds)
		timer_set(loop_timers(s->loop), &s->stop, clock_now_ms() + s->opts.seconds * 1000, on_stop);
	return 0;
}

static void finish(void *arg)
{
	struct scef *s = arg;
	struct map_node *n, *next;
	size_t i = 0;

	timer_cancel(loop_timers(s->loop), &s->stop);
	scef_notices_free(s);
	scef_exchanges_free(s);
	http_server_close(s->server);
	scef_radio_close(s);
	for (i = 0, n = map_next(&s->configs, &i, NULL); n; n = next) {
		next = map_next(&s->configs, &i, n);
		scef_config_free(s, container_of(n, struct scef_config, by_id));
	}
	scef_users_free(s);
	scef_tokens_free(s);
	scef_faults_free(s);
	console_close(s->console);
	map_fini(&s->configs);
}

int sim_scef(int argc, char **argv)
{
	struct scef s = { .ids = 0 };
	const struct sim_end end = {
		.arg = &s,
		.loop = &s.loop,
		.opts = &s.opts,
		.items = scef_items,
		.usage = usage,
		.seed = &s.opts.seed,
		.start = start,
		.finish = finish,
	};

	return sim_run(&end, argc, argv);
}
