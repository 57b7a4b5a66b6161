/* SPDX-License-Identifier: Apache-2.0 */
/* admin_paths.c - what stands behind each path of the admin listener
 *
 * Paths are compared as they were sent, so nothing has to be said about dots and double slashes: they are not found.
 */
#include "control/admin_paths.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "base/metrics.h"
#include "control/inside.h"
#include "control/page.h"
#include "control/render.h"
#include "session/session.h"

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 400, "Bad Request" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
};

const char *admin_reason(int status)
{
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

static int add_json(const char *text, size_t len, void *body)
{
	return evbuffer_add(body, text, len);
}

/* Takes o; NULL means that memory was short. */
static void answer_json(struct admin_answer *answer, int status, json_t *o)
{
	answer->status = o ? status : 500;
	answer->content_type = "application/json";
	if (o)
		json_dump_callback(o, add_json, answer->body, JSON_COMPACT);
	evbuffer_add(answer->body, "\n", 1);
	json_decref(o);
}

void admin_error(struct admin_answer *answer, int status, const char *code, const char *message)
{
	answer_json(answer, status, json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", message));
}

static void answer_text(struct admin_answer *answer, int status, const char *text)
{
	answer->status = status;
	answer->content_type = "text/plain; charset=utf-8";
	evbuffer_add_printf(answer->body, "%s\n", text);
}

/* ---- the paths ---- */

static void add_metrics(void *arg, const char *text, size_t len)
{
	evbuffer_add(arg, text, len);
}

static void get_metrics(const struct control *c, const char *query, struct admin_answer *answer)
{
	(void)query;
	answer->status = 200;
	answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
	metrics_print(c->env.metrics, "niddgw_", add_metrics, answer->body);
}

static void get_healthz(const struct control *c, const char *query, struct admin_answer *answer)
{
	(void)c;
	(void)query;
	answer_text(answer, 200, "ok"); /* the loop runs, or nobody would answer */
}

static void get_readyz(const struct control *c, const char *query, struct admin_answer *answer)
{
	static const char *const words[CONTROL_PHASE_COUNT] = { "starting", "ready", "stopping" };

	(void)query;
	answer_text(answer, c->phase == CONTROL_READY ? 200 : 503, words[c->phase]);
}

static void get_info(const struct control *c, const char *query, struct admin_answer *answer)
{
	(void)query;
	answer_json(answer, 200, render_info(c));
}

static void get_health(const struct control *c, const char *query, struct admin_answer *answer)
{
	(void)query;
	answer_json(answer, 200, render_health(c));
}

/* ?limit=N&cursor=C, and device=NAME where that is asked for; anything else in the query is refused rather than
 * overlooked. *device is the caller's to free. */
static bool page_of(const char *query, uint64_t *from, size_t *limit, char **device)
{
	struct evkeyvalq params = { 0 };
	bool sound = evhttp_parse_query_str(query ? query : "", &params) == 0;
	uint64_t n = LIST_PAGE;

	*from = 0;
	for (const struct evkeyval *kv = params.tqh_first; kv && sound; kv = kv->next.tqe_next) {
		if (!strcmp(kv->key, "limit"))
			sound = render_cursor(kv->value, &n) == 0;
		else if (device && !*device && !strcmp(kv->key, "device"))
			sound = (*device = strdup(kv->value)) != NULL;
		else
			sound = !strcmp(kv->key, "cursor") && render_cursor(kv->value, from) == 0;
	}
	evhttp_clear_headers(&params);
	*limit = (size_t)n;
	return sound && n >= 1 && n <= LIST_PAGE_MOST;
}

static void get_list(const struct control *c, const char *query, struct admin_answer *answer, render_list_fn *render)
{
	uint64_t from;
	size_t limit;

	if (page_of(query, &from, &limit, NULL))
		answer_json(answer, 200, render(c, from, limit));
	else
		admin_error(answer, 400, "bad_request", "?limit=1..1000 and ?cursor= of the page before");
}

static void get_links(const struct control *c, const char *query, struct admin_answer *answer)
{
	get_list(c, query, answer, render_links);
}

static void get_servers(const struct control *c, const char *query, struct admin_answer *answer)
{
	get_list(c, query, answer, render_servers);
}

static void get_alarms(const struct control *c, const char *query, struct admin_answer *answer)
{
	get_list(c, query, answer, render_alarms);
}

static void get_events(const struct control *c, const char *query, struct admin_answer *answer)
{
	get_list(c, query, answer, render_events);
}

static void get_devices(const struct control *c, const char *query, struct admin_answer *answer)
{
	get_list(c, query, answer, render_devices);
}

static void get_queue(const struct control *c, const char *query, struct admin_answer *answer)
{
	char *name = NULL;
	uint64_t from;
	size_t limit;
	bool sound = page_of(query, &from, &limit, &name);
	const struct device *d = name ? sessions_find(c->env.sessions, name) : NULL;

	if (!sound)
		admin_error(answer, 400, "bad_request", "?device=NAME, ?limit=1..1000 and ?cursor= of the page before");
	else if (name && !d)
		admin_error(answer, 404, "not_found", "no such device");
	else
		answer_json(answer, 200, render_queue(c, d, from, limit));
	free(name);
}

static void get_device(const struct control *c, const char *name, struct admin_answer *answer)
{
	size_t len = 0;
	char *plain = evhttp_uridecode(name, 0, &len);
	const struct device *d = plain && strlen(plain) == len ? sessions_find(c->env.sessions, plain)
							       : NULL; /* no %00 */

	free(plain);
	if (d)
		answer_json(answer, 200, render_device(d));
	else
		admin_error(answer, 404, "not_found", "no such device");
}

static const struct path {
	const char *path; /* one that ends in / takes the rest of the path instead of the query */
	void (*get)(const struct control *c, const char *query, struct admin_answer *answer);
} paths[] = {
	{ "/metrics", get_metrics },        { "/healthz", get_healthz },      { "/readyz", get_readyz },
	{ "/api/v1/info", get_info },       { "/api/v1/health", get_health }, { "/api/v1/devices", get_devices },
	{ "/api/v1/devices/", get_device }, { "/api/v1/links", get_links },   { "/api/v1/servers", get_servers },
	{ "/api/v1/alarms", get_alarms },   { "/api/v1/queue", get_queue },   { "/api/v1/events", get_events },
};

void admin_get(const struct control *c, const char *target, struct admin_answer *answer)
{
	size_t len = strcspn(target, "?#");
	const char *query = target[len] == '?' ? target + len + 1 : NULL;
	const struct page_file *page = page_find(target, len);

	if (page) {
		answer->status = 200;
		answer->content_type = page->content_type;
		evbuffer_add(answer->body, page->data, (size_t)(page->end - page->data));
		return;
	}
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		size_t own = strlen(paths[i].path);
		bool open_end = paths[i].path[own - 1] == '/';

		if (len < own || strncmp(target, paths[i].path, own) || (open_end ? len == own || query : len != own))
			continue;
		paths[i].get(c, open_end ? target + own : query, answer);
		return;
	}
	admin_error(answer, 404, "not_found", "no such path");
}
