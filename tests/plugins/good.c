/* SPDX-License-Identifier: Apache-2.0 */
/* good.c - a well-behaved plug-in that writes down what it is told, and asks when it is told to
 *
 * Each line of its file is one call. A report of a device called "ask:COMMAND" makes it ask that command; "log:TEXT",
 * "count:NAME", "alarm:TYPE", "clear:TYPE" and "replay:" do the same with other functions.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "niddgw/plugin.h"

struct good {
	struct niddgw_host *host;
	FILE *file;
};

static const char *const words[] = { "one", "two", NULL };
static const char *const schemes[] = { "tcp", "tls", NULL };
static const struct niddgw_option options[] = {
	{ "file", NIDDGW_OPTION_PATH, true, NULL, NULL, 0, 0, "where calls are written down" },
	{ "word", NIDDGW_OPTION_TEXT, false, "one", words, 0, 0, "a word" },
	{ "number", NIDDGW_OPTION_INT, false, NULL, NULL, -5, 5, "a number" },
	{ "flag", NIDDGW_OPTION_BOOL, false, "true", NULL, 0, 0, "a flag" },
	{ "list", NIDDGW_OPTION_LIST, false, NULL, NULL, 0, 0, "a list" },
	{ "url", NIDDGW_OPTION_URL, false, "tcp://localhost", schemes, 0, 0, "a peer" },
	{ "secret", NIDDGW_OPTION_SECRET, false, NULL, NULL, 0, 0, "a secret" },
	{ NULL, 0, false, NULL, NULL, 0, 0, NULL },
};

static const char *text(const char *t)
{
	return t ? t : "-";
}

static int good_open(struct niddgw_host *host, void **state)
{
	struct good *g = calloc(1, sizeof *g);
	const char *const *items;
	char secret[64] = "-";
	size_t n;

	if (!g)
		return -ENOMEM;
	g->host = host;
	g->file = fopen(niddgw_option(host, "file"), "a");
	if (!g->file) {
		free(g);
		return -errno;
	}
	setvbuf(g->file, NULL, _IOLBF, 0);
	n = niddgw_option_list(host, "list", &items);
	(void)niddgw_secret(host, "secret", secret, sizeof secret);
	fprintf(g->file, "open %s %s %s %lld %d %zu %s %s %s\n", niddgw_instance(host), niddgw_gateway_id(host),
		niddgw_option(host, "word"), (long long)niddgw_option_int(host, "number"),
		niddgw_option_bool(host, "flag"), n, n ? items[n - 1] : "-", secret,
		strlen(niddgw_boot_id(host)) == 16 ? "boot" : "-");
	*state = g;
	return 0;
}

static void good_close(void *state)
{
	struct good *g = state;

	fprintf(g->file, "close\n");
	fclose(g->file);
	free(g);
}

static void do_as_told(struct good *g, const char *what)
{
	const char *arg = strchr(what, ':');
	struct niddgw_command c = { .size = sizeof c, .id = "id-1", .args = "{\"a\":1}", .cookie = 77 };
	int err;

	if (!arg++)
		return;
	c.name = arg;
	if (!strncmp(what, "ask:", 4)) {
		err = niddgw_command(g->host, &c);
		if (err)
			fprintf(g->file, "ask %s\n", strerror(-err));
	}
	if (!strncmp(what, "log:", 4))
		niddgw_log(g->host, NIDDGW_NOTICE, "good.says", arg);
	if (!strncmp(what, "count:", 6))
		niddgw_count(g->host, arg, 3);
	if (!strncmp(what, "gauge:", 6))
		niddgw_gauge(g->host, arg, -3);
	if (!strncmp(what, "alarm:", 6))
		niddgw_alarm(g->host, arg, "told to");
	if (!strncmp(what, "clear:", 6))
		niddgw_alarm(g->host, arg, NULL);
	if (!strncmp(what, "replay:", 7))
		niddgw_replay(g->host);
	if (!strncmp(what, "stderr:", 7))
		fprintf(stderr, "%s\n", arg);
	if (!strncmp(what, "timer:", 6))
		niddgw_timer(g->host, 10);
}

static int good_record(void *state, const struct niddgw_record *r)
{
	struct good *g = state;
	char json[65536];
	long n = niddgw_record_json(r, 0, json, sizeof json);

	fprintf(g->file, "record %s %s\n", niddgw_record_id(r), n < (long)sizeof json ? json : "long");
	do_as_told(g, niddgw_record_device(r));
	return strcmp(niddgw_record_device(r), "again") ? 0 : -EAGAIN;
}

static int good_session(void *state, const struct niddgw_session *s)
{
	fprintf(((struct good *)state)->file, "session %s %s %s\n", s->device, text(s->event), text(s->state));
	return 0;
}

static int good_down(void *state, const struct niddgw_down *d)
{
	fprintf(((struct good *)state)->file, "down %s %s\n", d->device, d->state);
	return 0;
}

static int good_alarm(void *state, const struct niddgw_alarm_event *a)
{
	fprintf(((struct good *)state)->file, "alarm %s %s\n", a->id, a->action);
	return 0;
}

static int good_stats(void *state, const struct niddgw_stats *st)
{
	fprintf(((struct good *)state)->file, "stats %s\n", st->json);
	return 0;
}

static int good_gateway(void *state, const struct niddgw_gateway *gw)
{
	fprintf(((struct good *)state)->file, "gateway %u %s %s\n", gw->what, text(gw->phase), gw->json);
	return 0;
}

static int good_answer(void *state, const struct niddgw_answer *a)
{
	fprintf(((struct good *)state)->file, "answer %s %s %llu %d %s\n", a->command, text(a->id),
		(unsigned long long)a->cookie, a->final, a->json);
	return 0;
}

static void good_timer(void *state)
{
	fprintf(((struct good *)state)->file, "timer\n");
}

NIDDGW_EXPORT const struct niddgw_plugin niddgw_plugin = {
	.abi = NIDDGW_PLUGIN_ABI,
	.size = sizeof(struct niddgw_plugin),
	.name = "good",
	.version = "7.1",
	.options = options,
	.open = good_open,
	.close = good_close,
	.record = good_record,
	.session = good_session,
	.down = good_down,
	.alarm = good_alarm,
	.stats = good_stats,
	.gateway = good_gateway,
	.answer = good_answer,
	.timer = good_timer,
};
