/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c - what the gateway asks devices itself: `asks` before the first command, then `ask DEVICE read /3/0/9`
 *
 * The answer stands among what was sent: `> answer DEVICE ok 2.05 PATH=TYPE:VALUE ..`, or `> answer DEVICE error WORD
 * CODE "TEXT"`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwm2m/decode.h"
#include "lwm2m/path.h"
#include "replay.h"
#include "session/ask.h"

static bool asking;
static struct north_server *own;
static struct ask *latest;

static const char *const verbs[ASK_VERB_COUNT] = { "read",    "write",          "execute", "discover",
						   "observe", "observe-cancel", "ping" };

/* A name that lives as long as the scenario. */
static char *keep_name(const char *name)
{
	static char names[16][160];
	unsigned i = 0;

	while (i < 15 && names[i][0] && strcmp(names[i], name) != 0)
		i++;
	snprintf(names[i], sizeof names[i], "%s", name);
	return names[i];
}

bool ask_line(const struct words *w)
{
	if (strcmp(w->v[0], "asks") != 0 || w->n != 1)
		return false;
	asking = true;
	return true;
}

static void on_answer(void *arg, const struct ask_answer *a)
{
	char *text = NULL, code[16] = "-";
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		abort();
	if (a->code)
		snprintf(code, sizeof code, "%u.%02u", a->code >> 5, a->code & 31);
	if (a->error)
		fprintf(f, "error %s %s", a->error, code);
	else
		fprintf(f, "ok %s", code);
	if (a->report)
		mirror_print_values(f, a->report);
	if (a->links)
		fprintf(f, " %.*s", (int)a->links_len, a->links);
	fclose(f);
	output_add(NULL, 0, "answer %s %s", (const char *)arg, text);
	free(text);
	latest = NULL;
}

static void on_accepted(void *arg)
{
	output_add(NULL, 0, "answer %s accepted", (const char *)arg);
}

static bool adopt(void *arg, struct ask *a, const void *note, size_t len)
{
	(void)arg;
	(void)len;
	ask_set(a, on_answer, keep_name(note));
	return true;
}

void ask_run(void)
{
	if (!asking)
		return;
	own = fake_server_local(&ask_server_conf, ask_server_recv);
	if (sessions_set_own_server(world.sessions, own))
		abort();
}

void ask_restored(void)
{
	if (asking)
		asks_adopt(world.sessions, adopt, NULL);
}

void ask_ended(void)
{
	if (own)
		fake_server_local_close(own);
	own = NULL;
	latest = NULL;
}

/* ask DEVICE VERB PATH [payload=..] [depth=N] [timeout=30s], ask DEVICE close */
void ask_command(const struct words *w)
{
	struct device *d = w->n > 2 ? sessions_find(world.sessions, w->v[1]) : NULL;
	struct ask_request r = { .verb = ASK_VERB_COUNT, .depth = -1, .timeout_ms = 30000 };
	const char *timeout = words_find(w, 3, "timeout"), *payload = words_find(w, 3, "payload"), *error;

	if (!d)
		fail("ask DEVICE VERB PATH");
	if (strcmp(w->v[2], "close") == 0) {
		ask_close(latest);
		latest = NULL;
		return;
	}
	for (unsigned i = 0; i < ASK_VERB_COUNT; i++)
		if (strcmp(w->v[2], verbs[i]) == 0)
			r.verb = (enum ask_verb)i;
	if (r.verb == ASK_VERB_COUNT)
		fail("there is no verb %s", w->v[2]);
	if (w->n > 3 && lwm2m_path_parse(&r.path, NULL, w->v[3], strlen(w->v[3]), NULL))
		fail("%s is no path", w->v[3]);
	r.body = (const uint8_t *)payload;
	r.len = payload ? strlen(payload) : 0;
	r.format = LWM2M_CF_TEXT;
	if (words_find(w, 3, "depth"))
		r.depth = (int)number_parse(words_find(w, 3, "depth"));
	if (timeout)
		r.timeout_ms = time_parse(timeout);
	r.note = w->v[1];
	r.note_len = strlen(w->v[1]) + 1;
	r.accepted = on_accepted;
	error = ask_open(&latest, d, &r, on_answer, keep_name(w->v[1]));
	if (error)
		output_add(NULL, 0, "answer %s refused %s", w->v[1], error);
}
