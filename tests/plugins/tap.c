/* SPDX-License-Identifier: Apache-2.0 */
/* tap.c - a plug-in that writes each document it is told as a line of JSON, and sends what commands it finds
 *
 * It reads new lines of its file "in" every now and then: DEVICE TAB NAME TAB ID TAB ARGS TAB TIMEOUT_MS TAB COOKIE (a
 * dash: none), or the word replay.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "niddgw/plugin.h"

enum { LOOK_MS = 20 };

struct tap {
	struct niddgw_host *host;
	FILE *out, *in;
};

static const struct niddgw_option options[] = {
	{ "file", NIDDGW_OPTION_PATH, true, NULL, NULL, 0, 0, "where documents are written" },
	{ "in", NIDDGW_OPTION_PATH, true, NULL, NULL, 0, 0, "where commands stand" },
	{ NULL, 0, false, NULL, NULL, 0, 0, NULL },
};

static int tap_open(struct niddgw_host *host, void **state)
{
	struct tap *t = calloc(1, sizeof *t);

	if (!t)
		return -ENOMEM;
	t->host = host;
	t->out = fopen(niddgw_option(host, "file"), "a");
	t->in = fopen(niddgw_option(host, "in"), "r");
	if (!t->out || !t->in) {
		free(t);
		return -errno;
	}
	setvbuf(t->out, NULL, _IOLBF, 0);
	fseek(t->in, 0, SEEK_END);
	niddgw_timer(host, LOOK_MS);
	*state = t;
	return 0;
}

static void tap_close(void *state)
{
	struct tap *t = state;

	fprintf(t->out, "{\"kind\":\"close\"}\n");
	fclose(t->out);
	fclose(t->in);
	free(t);
}

static const char *json(const char *text)
{
	return text ? text : "null";
}

static const char *word(const char *text, char buf[600])
{
	if (!text)
		return "null";
	snprintf(buf, 600, "\"%s\"", text);
	return buf;
}

static int tap_record(void *state, const struct niddgw_record *r)
{
	struct tap *t = state;
	static char buf[1 << 20];

	if (niddgw_record_json(r, NIDDGW_JSON_RAW_PAYLOAD, buf, sizeof buf) >= (long)sizeof buf)
		return 0;
	fprintf(t->out, "{\"kind\":\"%s\",\"json\":%s}\n", niddgw_record_kind(r) == NIDDGW_RECORD_DATA ? "data" : "raw",
		buf);
	return 0;
}

static int tap_session(void *state, const struct niddgw_session *s)
{
	struct tap *t = state;
	char device[600], event[600];

	fprintf(t->out, "{\"kind\":\"session\",\"device\":%s,\"event\":%s,\"state\":%s,\"objects\":%s,\"json\":%s}\n",
		word(s->device, device), word(s->event, event), json(s->state), json(s->objects), json(s->json));
	return 0;
}

static int tap_down(void *state, const struct niddgw_down *d)
{
	struct tap *t = state;

	fprintf(t->out, "{\"kind\":\"down\",\"state\":\"%s\",\"json\":%s}\n", d->state, json(d->json));
	return 0;
}

static int tap_alarm(void *state, const struct niddgw_alarm_event *a)
{
	struct tap *t = state;

	fprintf(t->out, "{\"kind\":\"alarm\",\"id\":\"%s\",\"action\":\"%s\",\"state\":%s,\"json\":%s}\n", a->id,
		a->action, json(a->state), json(a->json));
	return 0;
}

static int tap_stats(void *state, const struct niddgw_stats *s)
{
	struct tap *t = state;

	fprintf(t->out, "{\"kind\":\"stats\",\"json\":%s}\n", json(s->json));
	return 0;
}

static int tap_gateway(void *state, const struct niddgw_gateway *g)
{
	static const char *const whats[] = { "phase", "info", "health", "replayed" };
	struct tap *t = state;
	char phase[600];

	fprintf(t->out, "{\"kind\":\"%s\",\"phase\":%s,\"json\":%s}\n", whats[g->what], word(g->phase, phase),
		json(g->json));
	return 0;
}

static int tap_answer(void *state, const struct niddgw_answer *a)
{
	struct tap *t = state;

	fprintf(t->out, "{\"kind\":\"answer\",\"cookie\":%llu,\"final\":%s,\"json\":%s}\n",
		(unsigned long long)a->cookie, a->final ? "true" : "false", json(a->json));
	return 0;
}

/* ---- commands ---- */

static const char *part(char **line)
{
	char *p = strsep(line, "\t");

	return p && strcmp(p, "-") ? p : NULL;
}

static void ask(struct tap *t, char *line)
{
	struct niddgw_command c = { .size = sizeof c };
	const char *text;

	c.device = part(&line);
	c.name = part(&line);
	c.id = part(&line);
	c.args = part(&line);
	text = part(&line);
	c.timeout_ms = text ? (uint32_t)atol(text) : 0;
	text = part(&line);
	c.cookie = text ? (uint64_t)atoll(text) : 0;
	if (niddgw_command(t->host, &c))
		fprintf(t->out, "{\"kind\":\"refused\",\"cookie\":%llu}\n", (unsigned long long)c.cookie);
}

static void tap_timer(void *state)
{
	static char line[1 << 17];
	struct tap *t = state;

	clearerr(t->in);
	while (fgets(line, sizeof line, t->in)) {
		line[strcspn(line, "\n")] = 0;
		if (!strcmp(line, "replay"))
			niddgw_replay(t->host);
		else
			ask(t, line);
	}
	niddgw_timer(t->host, LOOK_MS);
}

NIDDGW_EXPORT const struct niddgw_plugin niddgw_plugin = {
	NIDDGW_PLUGIN_ABI,
	sizeof(struct niddgw_plugin),
	"tap",
	"1.0",
	0,
	options,
	tap_open,
	tap_close,
	tap_record,
	tap_session,
	tap_down,
	tap_alarm,
	tap_stats,
	tap_gateway,
	tap_answer,
	NULL,
	tap_timer,
};
