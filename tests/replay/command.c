/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - the commands of a scenario that are neither configuration nor one of the two ends */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "replay.h"

/* ---- what was sent ---- */

static char *shown(const struct output *o)
{
	char *message = o->data ? message_text(o->data, o->len) : NULL, *line;

	if (asprintf(&line, "> %s%s%s", o->text, message ? " " : "", message ? message : "") < 0)
		abort();
	free(message);
	return line;
}

void outputs_must_be_taken(void)
{
	char *all = NULL;
	size_t size;
	FILE *f;

	if (world.out_taken == world.out_n) {
		outputs_clear();
		return;
	}
	f = open_memstream(&all, &size);
	for (size_t i = world.out_taken; f && i < world.out_n; i++) {
		char *line = shown(&world.out[i]);

		fprintf(f, "\n    %s @%llums", line, (unsigned long long)(world.out[i].at_ms - world.step_ms));
		free(line);
	}
	if (f)
		fclose(f);
	fail("before this line, nobody expected:%s", all);
}

static void check_time(const struct output *o, const char *at)
{
	uint64_t seen = o->at_ms - world.step_ms;

	if (seen != time_parse(at))
		fail("it was sent at %llums", (unsigned long long)seen);
}

/* A message id stands in words of its own where no message follows. */
static bool same_word(const char *have, const char *want)
{
	const char *mid = word_value(have, "mid"), *wanted = word_value(want, "mid"), *any = strstr(want, "=*");

	if (any && !any[2])
		return strncmp(have, want, (size_t)(any - want) + 1) == 0;

	if (!mid || !wanted)
		return strcmp(have, want) == 0;
	return *wanted == '*' || mid_value(wanted) == number_parse(mid);
}

/* The same message again, as often as it comes. */
static void take_repeats(void)
{
	const struct output *last = &world.out[world.out_taken - 1];

	for (; world.out_taken < world.out_n; world.out_taken++) {
		const struct output *o = &world.out[world.out_taken];

		if (strcmp(o->text, last->text) != 0 || !o->data || o->len != last->len ||
		    memcmp(o->data, last->data, o->len) != 0)
			return;
	}
}

/* > north SERVER DEVICE MESSAGE | > down DEVICE MESSAGE | > other words | > nothing;  @TIME: since the command began */
static void expect(const struct words *w)
{
	const struct output *o;
	struct words have;
	unsigned i;
	char *line;

	if (w->n == 2 && strcmp(w->v[1], "nothing") == 0) {
		outputs_must_be_taken();
		return;
	}
	if (world.out_taken == world.out_n)
		fail("nothing more was sent");
	o = &world.out[world.out_taken++];
	line = shown(o);
	words_split(&have, o->text);
	for (i = 0; i < have.n; i++)
		if (i + 1 >= w->n || !same_word(have.v[i], w->v[i + 1]))
			fail("seen instead: %s", line);
	if (o->data)
		message_expect(o->data, o->len, w, have.n + 1, line);
	else if (have.n + 1 < w->n && w->v[have.n + 1][0] != '@')
		fail("seen instead: %s", line);
	if (w->v[w->n - 1][0] == '@')
		check_time(o, w->v[w->n - 1] + 1);
	free(line);
	if (strcmp(w->v[0], ">+") == 0)
		take_repeats();
}

/* ---- time ---- */

static uint64_t next_event(void)
{
	uint64_t timer = timers_next(&world.timers), store = world.store ? fake_store_next(world.store) : UINT64_MAX;

	return timer < store ? timer : store;
}

/* wait TIME [until-silent SERVER]: through every timer in order, each at its own time */
static void command_wait(const struct words *w)
{
	uint64_t until = world.now_ms + time_parse(w->n > 1 ? w->v[1] : "");
	bool for_silence = w->n == 4 && strcmp(w->v[2], "until-silent") == 0;
	uint64_t next;
	size_t ran = 0;

	while ((next = next_event()) <= until) {
		if (next > world.now_ms)
			time_turn(next);
		ran += timers_run(&world.timers, world.now_ms, 0) + 1;
		fake_north_step();
		if (world.store)
			fake_store_step(world.store);
		fake_north_step();
		if (ran > 1000000)
			fail("timers run without end");
		if (for_silence && fake_server_is_silent(w->v[3]))
			return;
	}
	time_turn(until);
}

/* ---- looking ---- */

struct found {
	const char *name, *labels;
	double value;
	bool found;
};

static void look(void *arg, const char *name, const char *labels, double value)
{
	struct found *f = arg;

	if (strcmp(name, f->name) != 0 || (f->labels && (!labels || !strstr(labels, f->labels))))
		return;
	f->found = true;
	f->value += value;
}

/* count uplink RESULT N | count METRIC [LABELS] N */
static void command_count(const struct words *w)
{
	struct found f = { .name = w->n > 2 ? w->v[1] : "", .labels = w->n == 4 ? w->v[2] : NULL };
	uint64_t cell;

	if (strcmp(f.name, "uplink") == 0 && w->n == 4 && uplink_count(w->v[2], &cell))
		f = (struct found){ .value = (double)cell, .found = true };
	else
		metrics_each(world.metrics, look, &f);
	if (!f.found)
		fail("there is no such count");
	if (f.value != (double)number_parse(w->v[w->n - 1]))
		fail("the count is %g", f.value);
}

static void check_word(const char *name, const char *want, const char *have)
{
	if (strcmp(want, have ? have : "none") != 0)
		fail("%s is %s", name, have ? have : "none");
}

static void check_number(const char *name, const char *want, uint64_t have)
{
	if (number_parse(want) != (long)have)
		fail("%s is %llu", name, (unsigned long long)have);
}

/* From now on to a point of wall time; "0s" when there is none. */
static void check_span(const char *name, const char *want, uint64_t wall_ms)
{
	uint64_t ahead = wall_ms ? wall_ms - clock_wall_ms() : 0;

	if (time_parse(want) != ahead)
		fail("%s is %llums", name, (unsigned long long)ahead);
}

static void check_status(const struct device_status *st, const char *word)
{
	static const struct device_server_status no_server;
	const struct device_server_status *s = st->servers_n ? &st->servers[0] : &no_server;
	const char *v;

	if (!strchr(word, '='))
		check_word("state", word, device_state_names[st->state]);
	else if ((v = word_value(word, "reach")))
		check_word("reach", v, device_reach_names[st->reach]);
	else if ((v = word_value(word, "ep")))
		check_word("ep", v, st->ep);
	else if ((v = word_value(word, "mtu")))
		check_number("mtu", v, st->mtu);
	else if ((v = word_value(word, "queue")))
		check_number("queue", v, st->queue);
	else if ((v = word_value(word, "oldest")))
		check_number("oldest", v, st->queue_oldest_s);
	else if ((v = word_value(word, "awake-for")))
		check_span("awake-for", v, st->awake_until_wall_ms);
	else if ((v = word_value(word, "rate-used")))
		check_number("rate-used", v, st->rate ? st->rate_used : 0);
	else if ((v = word_value(word, "exchanges")))
		check_number("exchanges", v, st->exchanges);
	else if ((v = word_value(word, "observations")))
		check_number("observations", v, s->observations);
	else if ((v = word_value(word, "queued")))
		check_number("queued", v, s->queued);
	else if ((v = word_value(word, "lifetime")))
		check_number("lifetime", v, s->lifetime_s);
	else if ((v = word_value(word, "lwm2m")))
		check_word("lwm2m", v, s->lwm2m);
	else if ((v = word_value(word, "binding")))
		check_word("binding", v, s->binding);
	else if ((v = word_value(word, "port")))
		check_number("port", v, s->port);
	else if ((v = word_value(word, "security")))
		check_word("security", v, s->security);
	else if ((v = word_value(word, "switch")))
		check_word("switch", v, s->switch_expected ? "expected" : "no");
	else if ((v = word_value(word, "servers")))
		check_number("servers", v, st->servers_n);
	else
		fail("\"%s\" is no part of a status", word);
}

/* status DEVICE STATE|NAME=VALUE .. */
static void command_status(const struct words *w)
{
	struct device *d = sessions_find(world.sessions, w->n > 2 ? w->v[1] : "");
	struct device_status st;

	if (!d)
		fail("there is no such device");
	device_status(d, &st);
	for (unsigned i = 2; i < w->n; i++)
		check_status(&st, w->v[i]);
}

/* log EVENT [TEXT]: a line with ev=EVENT (and TEXT in it) since the last such question that found one */
static void command_log(const struct words *w)
{
	static char buf[1 << 18];
	char want[128], *line;
	ssize_t n = pread(world.log_fd, buf, sizeof buf - 1, world.log_seen);

	buf[n > 0 ? n : 0] = '\0';
	snprintf(want, sizeof want, "ev=%s", w->n > 1 ? w->v[1] : "");
	for (line = strtok(buf, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, want) && (w->n < 3 || strstr(line, w->v[2]))) {
			world.log_seen += line - buf;
			world.log_seen += (off_t)strlen(line);
			return;
		}
	fail("no such line was logged");
}

/* log-never TEXT: in no line from the beginning of the scenario */
static void command_log_never(const struct words *w)
{
	static char buf[1 << 18];
	ssize_t n = pread(world.log_fd, buf, sizeof buf - 1, 0);

	buf[n > 0 ? n : 0] = '\0';
	if (w->n != 2 || n == (ssize_t)sizeof buf - 1 || strstr(buf, w->v[1]))
		fail("it was logged, or the log is too long to say so");
}

/* verdict WORD: of the latest unit; none: it has none yet */
static void command_verdict(const struct words *w)
{
	static const char *const words[] = { "taken", "unknown", "malformed", "overload" };

	check_word("the verdict", w->n == 2 ? w->v[1] : "", world.verdicts ? words[world.verdict] : "none");
}

static void look_for_alarm(void *arg, const struct alarm *al)
{
	const char **want = arg;

	if (*want && strcmp(al->type, *want) == 0)
		*want = NULL;
}

/* alarm TYPE yes|no */
static void command_alarm_type(const struct words *w)
{
	const char *want = w->n == 3 ? w->v[1] : "";

	alarms_each(world.alarms, look_for_alarm, &want);
	check_word("the alarm", w->n == 3 ? w->v[2] : "", want ? "no" : "yes");
}

static void command_timers(const struct words *w)
{
	check_number("timers", w->n == 2 ? w->v[1] : "", world.timers.count);
}

static void command_alarm(const struct words *w)
{
	check_number("alarms", w->n == 2 ? w->v[1] : "", alarms_count(world.alarms));
}

/* register DEVICE SERVER [MORE]: a whole Register and its answer, with the parameters in MORE ("&lwm2m=1.1&Q") */
static void command_register(const struct words *w)
{
	static struct words line;
	char text[8][512], form[2][48];
	const char *dev = w->n > 2 ? w->v[1] : "", *srv = w->n > 2 ? w->v[2] : "", *more = w->n > 3 ? w->v[3] : "";
	bool stream = fake_server_is_stream(srv);
	static unsigned nth;

	nth++; /* each time with message ids and a token of its own */
	snprintf(form[0], sizeof form[0], stream ? "MSG POST" : "CON POST mid=$reg-mid%u", nth);
	snprintf(form[1], sizeof form[1], stream ? "MSG 2.01" : "ACK 2.01 mid=$reg-mid%u", nth);
	snprintf(text[0], sizeof text[0], "up %s CON POST mid=%u token=fe%02x /rd?ep=%s&lt=86400%s", dev, 61000 + nth,
		 nth, dev, more);
	snprintf(text[1], sizeof text[1], world.store ? "> verdict %s taken" : "#", dev);
	snprintf(text[2], sizeof text[2], "> north %s %s %s token=$reg-token%u /rd?ep=%s&lt=86400%s", srv, dev, form[0],
		 nth, dev, more);
	snprintf(text[3], sizeof text[3], "north %s %s %s token=$reg-token%u location=/rd/%s", srv, dev, form[1], nth,
		 dev);
	snprintf(text[4], sizeof text[4],
		 world.mirror ? "> mirror %s %s register /rd application/link-format true bytes=*" : "#", dev, srv);
	snprintf(text[5], sizeof text[5], "> down %s ACK 2.01 mid=%u token=fe%02x location=/rd/%s", dev, 61000 + nth,
		 nth, dev);
	snprintf(text[6], sizeof text[6], "> nothing");
	snprintf(text[7], sizeof text[7],
		 watch_is_on() ? "> event %s registered %s lifetime=* binding=* lwm2m=* objects" : "#", dev, srv);
	for (unsigned k = 0; k < sizeof text / sizeof text[0]; k++) {
		static const unsigned order[] = { 0, 1, 2, 3, 4, 7, 5, 6 };

		words_split(&line, text[order[k]]);
		if (line.n)
			command_run(&line);
	}
}

static void command_reload(const struct words *w)
{
	(void)w;
	conf_apply();
}

static void command_link(const struct words *w)
{
	link_command(w, w->v[0]);
}

static void command_north(const struct words *w)
{
	north_command(w, w->v[0]);
}

static void command_life(const struct words *w)
{
	life_command(w, w->v[0]);
}

static const struct {
	const char *verb;
	void (*run)(const struct words *w);
	bool looks; /* does nothing that could send */
} commands[] = {
	{ "up", command_link, false },
	{ "event", command_link, false },
	{ "link-result", command_link, true },
	{ "link-mtu", command_link, true },
	{ "deadline", command_link, true },
	{ "latency", command_link, true },
	{ "class", command_link, true },
	{ "north", command_north, false },
	{ "north-down", command_north, false },
	{ "north-up", command_north, false },
	{ "north-refused", command_north, false },
	{ "north-result", command_north, true },
	{ "north-denied", command_north, false },
	{ "lost", command_north, false },
	{ "made", command_north, false },
	{ "pong", command_north, false },
	{ "north-csm", command_north, true },
	{ "wanted", command_north, true },
	{ "unanswered", command_north, true },
	{ "north-next", command_north, true },
	{ "credentials", command_north, true },
	{ "resumable", command_north, true },
	{ "tried", command_north, true },
	{ "silent", command_north, true },
	{ "register", command_register, true },
	{ "wait", command_wait, false },
	{ "reload", command_reload, false },
	{ "disk", command_life, false },
	{ "crash", command_life, false },
	{ "clock", command_life, true },
	{ "stop", command_life, false },
	{ "restart", command_life, false },
	{ "reboot", command_life, false },
	{ "keys", command_life, true },
	{ "entries", command_life, true },
	{ "ports-taken", command_life, true },
	{ "count", command_count, true },
	{ "status", command_status, true },
	{ "log", command_log, true },
	{ "log-never", command_log_never, true },
	{ "verdict", command_verdict, true },
	{ "timers", command_timers, true },
	{ "alarms", command_alarm, true },
	{ "alarm", command_alarm_type, true },
	{ "mirror", mirror_command, true },
	{ "changed", watch_command, true },
	{ "ask", ask_command, false },
};

void command_run(const struct words *w)
{
	if (strcmp(w->v[0], "exchanges-max") == 0 && w->n == 2 && !world.conf) {
		world.exchanges_max = (size_t)number_parse(w->v[1]);
		return;
	}
	if (strcmp(w->v[0], ">") == 0 || strcmp(w->v[0], ">+") == 0) {
		expect(w);
		return;
	}
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		if (strcmp(w->v[0], commands[i].verb) != 0)
			continue;
		if (world.crashed && commands[i].run != command_life)
			fail("nothing runs");
		if (!world.conf && !world.crashed)
			conf_apply();
		if (!commands[i].looks) {
			outputs_must_be_taken();
			world.step_ms = world.now_ms;
		}
		commands[i].run(w);
		if (world.crashed)
			return;
		fake_north_step();
		if (world.store)
			fake_store_step(world.store);
		fake_north_step();
		return;
	}
	fail("\"%s\" is no command", w->v[0]);
}
