/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - one command from its arrival to its answer
 *
 * A command that comes again within some minutes, as a broker may deliver it twice, is not carried out twice: it gets
 * the same answer, or joins whoever waits for it. Each one is a line in the log, so that it is known who did what.
 */
#include "control/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "control/command_inside.h"
#include "session/session.h"

enum { TIMEOUT_MS = 30000 };

static struct timers *timers_of(const struct command_job *j)
{
	return loop_timers(j->all->control->env.loop);
}

struct control *command_control(const struct command_job *j)
{
	return j->all->control;
}

/* ---- life of a job ---- */

static struct command_job *job_new(struct commands *cs, const struct command_in *in, const char *instance)
{
	struct command_job *j = cs->jobs_n < JOBS_MOST ? calloc(1, sizeof *j) : NULL;

	if (!j)
		return NULL;
	j->all = cs;
	j->instance = instance ? strdup(instance) : NULL;
	j->device = in->device ? strdup(in->device) : NULL;
	j->id = in->id ? strdup(in->id) : NULL;
	snprintf(j->name, sizeof j->name, "%s", in->name ? in->name : "");
	j->started_ms = clock_now_ms();
	j->timeout_ms = in->timeout_ms ? in->timeout_ms : TIMEOUT_MS;
	if (j->timeout_ms > TIMEOUT_MOST_MS)
		j->timeout_ms = TIMEOUT_MOST_MS;
	j->next = cs->jobs;
	j->link = &cs->jobs;
	if (j->next)
		j->next->link = &j->next;
	cs->jobs = j;
	cs->jobs_n++;
	return j;
}

void command_free(struct command_job *j)
{
	timer_cancel(timers_of(j), &j->timer);
	ask_close(j->ask);
	*j->link = j->next;
	if (j->next)
		j->next->link = j->link;
	j->all->jobs_n--;
	json_decref(j->final);
	free(j->restart);
	free(j->instance);
	free(j->device);
	free(j->id);
	free(j);
}

void command_audit(const struct command_job *j, const char *status)
{
	log_ev(LOG_INFO, "control", "command", LF_STR("by", j->instance ? j->instance : "socket"),
	       LF_STR("dev", j->device), LF_STR("command", j->name), LF_STR("id", j->id), LF_STR("status", status));
}

/* ---- which command it is ---- */

static const struct verb *find_verb(const char *name, bool device)
{
	const struct verb *v = device ? command_device_verbs : command_gateway_verbs;

	while (v->name && strcmp(v->name, name) != 0)
		v++;
	return v->name ? v : NULL;
}

bool command_is_known(const char *name)
{
	return find_verb(name, false) || find_verb(name, true);
}

static bool is_allowed(const struct command_job *j)
{
	const struct plugins *p = j->all->control->env.plugins;

	return j->verb->reads || !j->instance || plugins_allows(p, j->askers[0].ref, j->name);
}

static void run(struct command_job *j, const json_t *args)
{
	struct control *c = j->all->control;
	struct device *d = j->device ? sessions_find(c->env.sessions, j->device) : NULL;

	j->verb = find_verb(j->name, j->device != NULL);
	if (!j->id || !*j->id || strlen(j->id) > ID_MOST)
		command_fail(j, "bad_request", "id is missing, or no text of 1 to 256 octets", 0);
	else if (!j->verb)
		command_fail(j, "unsupported", "no such command", 0);
	else if (!is_allowed(j))
		command_fail(j, "forbidden", "it does not stand in the option \"commands\" of the plug-in", 0);
	else if (c->phase != CONTROL_READY)
		command_fail(j, "busy", c->phase == CONTROL_STARTING ? "still starting" : "stopping", 0);
	else if (j->device && !d)
		command_fail(j, "not_found", "no such device", 0);
	else
		j->verb->run(j, d, args);
}

/* ---- plug-ins ---- */

static bool is_same(const struct command_job *a, const struct command_job *b)
{
	return a != b && a->instance && b->instance && !strcmp(a->instance, b->instance) && a->id && b->id &&
		!strcmp(a->id, b->id) && !strcmp(a->name, b->name) && !a->device == !b->device &&
		(!a->device || !strcmp(a->device, b->device));
}

/* One that is under way already: its answer is this one's too. */
static bool joins(struct command_job *j)
{
	struct command_job *k = j->all->jobs;

	while (k && !is_same(k, j))
		k = k->next;
	if (!k)
		return false;
	if (k->restored) { /* its asker has come back */
		k->restored = false;
		k->askers_n = 0;
	}
	if (k->askers_n < ASKERS_MOST)
		k->askers[k->askers_n++] = j->askers[0];
	else
		k->askers[ASKERS_MOST - 1] = j->askers[0];
	return true;
}

static void refuse_new(struct commands *cs, const struct asker *to, const struct niddgw_command *c)
{
	struct command_job j = { .device = (char *)(uintptr_t)c->device, .id = (char *)(uintptr_t)c->id };
	json_t *o, *e = json_object();
	char *text;

	snprintf(j.name, sizeof j.name, "%s", c->name);
	o = command_response(&j, "error", true, 0);
	render_set_text(e, "code", "busy");
	render_set_text(e, "message", "too many commands are under way");
	json_object_set_new(o, "error", e);
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (text)
		plugins_post_answer(cs->control->env.plugins, to->ref,
				    &(struct niddgw_answer){ sizeof(struct niddgw_answer), to->cookie, c->device,
							     j.name, c->id, true, text });
	free(text);
}

void commands_from_plugin(struct commands *cs, plugin_ref from, const struct niddgw_command *c)
{
	const struct command_in in = { .device = c->device, .name = c->name, .id = c->id, .timeout_ms = c->timeout_ms };
	const char *instance = plugins_name(cs->control->env.plugins, from), *text;
	const struct asker asker = { from, c->cookie };
	struct command_job *j = instance ? job_new(cs, &in, instance) : NULL;
	json_t *args;

	if (!j) {
		refuse_new(cs, &asker, c);
		return;
	}
	j->askers[j->askers_n++] = asker;
	text = cache_find(cs, j);
	if (text)
		command_post(j, &asker, text, true);
	if (text || joins(j)) {
		command_free(j);
		return;
	}
	args = c->args ? json_loads(c->args, JSON_REJECT_DUPLICATES, NULL) : json_object();
	if (json_is_object(args))
		run(j, args);
	else
		command_fail(j, "bad_request", "args is no JSON object", 0);
	json_decref(args);
}

/* ---- others ---- */

struct command_job *commands_run(struct commands *cs, const struct command_in *in, command_answer_fn *answer, void *arg)
{
	struct command_job *j = job_new(cs, in, NULL);
	json_t *none;

	if (!j)
		return NULL;
	j->answer = answer;
	j->arg = arg;
	none = json_object();
	run(j, in->args ? in->args : none);
	json_decref(none);
	return j;
}

void command_forget(struct command_job *j)
{
	if (j)
		j->answer = NULL;
}

/* ---- life ---- */

int commands_open(struct commands **out, struct control *c)
{
	struct commands *cs = calloc(1, sizeof *cs);

	if (!cs)
		return -ENOMEM;
	cs->control = c;
	*out = cs;
	commands_restore(cs);
	return 0;
}

void commands_close(struct commands *cs)
{
	if (!cs)
		return;
	timer_cancel(loop_timers(cs->control->env.loop), &cs->reload);
	timer_cancel(loop_timers(cs->control->env.loop), &cs->level);
	while (cs->jobs) {
		struct command_job *j = cs->jobs;

		j->ask = ask_leave(j->ask);
		command_free(j);
	}
	memory_free(cs);
	free(cs);
}

struct command_job *command_restored(struct commands *cs, const struct command_in *in, const char *instance)
{
	struct command_job *j = job_new(cs, in, instance);

	if (!j)
		return NULL;
	j->restored = true;
	j->verb = find_verb(j->name, true);
	return j;
}
