/* SPDX-License-Identifier: Apache-2.0 */
/* command_answer.c - the answers of a command, to whoever asked and to those that asked the same */
#include <stdlib.h>

#include "base/clock.h"
#include "base/loop.h"
#include "coap/option.h"
#include "control/command_inside.h"

enum { RETRY_MS = 1000, RESTORED_MS = 600000 };

static struct timers *timers_of(const struct command_job *j)
{
	return loop_timers(j->all->control->env.loop);
}

void command_post(const struct command_job *j, const struct asker *to, const char *text, bool final)
{
	const struct niddgw_answer a = { .size = sizeof a,
					 .cookie = to->cookie,
					 .device = j->device,
					 .command = j->name,
					 .id = j->id,
					 .final = final,
					 .json = text };

	plugins_post_answer(j->all->control->env.plugins, to->ref, &a);
}

static void give(struct command_job *j, json_t *response, bool final)
{
	char *text = j->instance ? json_dumps(response, JSON_COMPACT) : NULL;

	for (unsigned i = 0; text && i < j->askers_n; i++)
		command_post(j, &j->askers[i], text, final);
	if (text && final)
		cache_keep(j->all, j, text);
	free(text);
	if (j->answer)
		j->answer(j->arg, response, final);
}

/* A job of the life before has lost who asked: its instance, in its new life, gets the answer. */
static bool finds_instance(struct command_job *j)
{
	plugin_ref ref;

	if (!j->restored)
		return true;
	ref = plugins_ref(j->all->control->env.plugins, j->instance);
	j->askers[0] = (struct asker){ .ref = ref };
	j->askers_n = ref ? 1 : 0;
	return ref != 0;
}

static void on_due(struct timer *t, uint64_t now_ms)
{
	struct command_job *j = container_of(t, struct command_job, timer);

	if (!j->final || (!finds_instance(j) && now_ms < j->until_ms)) {
		timer_set(timers_of(j), t, now_ms + RETRY_MS, on_due);
		return;
	}
	give(j, j->final, true);
	if (j->restart)
		(void)plugins_restart(j->all->control->env.plugins, j->restart);
	command_free(j);
}

json_t *command_response(const struct command_job *j, const char *status, bool final, uint8_t code)
{
	json_t *o = render_new();
	char text[5];

	render_set_text(o, "id", j->id);
	render_set_text(o, "command", j->name);
	render_set_text(o, "device", j->device);
	json_object_set_new(o, "final", json_boolean(final));
	render_set_text(o, "status", status);
	if (code)
		render_set_text(o, "code", coap_code_text(text, code));
	return o;
}

static void end(struct command_job *j, json_t *o)
{
	render_set_uint(o, "took_ms", clock_now_ms() - j->started_ms);
	json_decref(j->final);
	j->final = o;
	j->until_ms = clock_now_ms() + RESTORED_MS;
	timer_set(timers_of(j), &j->timer, clock_now_ms(), on_due);
}

void command_ok(struct command_job *j, json_t *data, uint8_t code)
{
	json_t *o = command_response(j, "ok", true, code);

	if (data)
		json_object_set_new(o, "data", data);
	command_audit(j, "ok");
	end(j, o);
}

void command_fail(struct command_job *j, const char *error, const char *message, uint8_t code)
{
	json_t *o = command_response(j, "error", true, code), *e = json_object();

	render_set_text(e, "code", error);
	json_object_set_new(e, "message", message && *message ? render_text(message) : json_string(error));
	json_object_set_new(o, "error", e);
	command_audit(j, error);
	end(j, o);
}

void command_accepted(struct command_job *j)
{
	json_t *o = command_response(j, "accepted", false, 0);

	give(j, o, false);
	json_decref(o);
}
