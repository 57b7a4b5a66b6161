/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_says.c - a host process that has been written over talks to the daemon
 *
 * The instance has no process; what it would be sent stays in its ring. Whatever is said, the daemon keeps its bounds.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "plugin/parts.h"

static struct loop *loop;
static unsigned asked;

static void on_command(void *arg, plugin_ref from, const struct niddgw_command *c)
{
	const struct niddgw_answer a = { sizeof a, c->cookie, c->device, c->name, c->id, asked++ % 2 == 0, "{}" };

	plugins_post_answer(arg, from, &a);
}

static const struct plugins_events events = { on_command, NULL };

static void count(void *arg, const char *name, const char *labels, double value)
{
	(void)name;
	(void)labels;
	(void)value;
	++*(size_t *)arg;
}

static void start(void)
{
	if (loop)
		return;
	if (loop_new(&loop))
		abort();
	clock_fake(CLOCK_BASE_MS + 1000, 1000);
	log_set(LOG_ERROR, LOG_TEXT);
}

/* Alarms are lines at error, which nobody wants to see here. */
static int hush(void)
{
	const int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

	if (saved < 0 || null < 0 || dup2(null, STDERR_FILENO) < 0)
		abort();
	close(null);
	return saved;
}

static void feed(struct instance *in, const uint8_t *data, size_t size)
{
	struct frame_stream s;
	struct frame f;
	int err = 0;

	frame_stream_init(&s, FRAME_UP_MOST);
	while (size && !err) {
		size_t room, n;
		uint8_t *to = frame_stream_room(&s, &room);

		if (!to || !room)
			abort();
		n = size < room ? size : room;
		memcpy(to, data, n);
		frame_stream_got(&s, n);
		data += n;
		size -= n;
		while (!err && !*in->reason && (err = frame_stream_next(&s, &f)) > 0)
			err = says(in, &f);
		err = err < 0 || *in->reason;
	}
	frame_stream_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct plugins_env env = { .gateway_id = "gw", .state_dir = "/nowhere", .bin_dir = "/nowhere" };
	struct plugins *p = calloc(1, sizeof *p);
	size_t series = 0;
	int saved;

	start();
	env.loop = loop;
	if (!p || metrics_new(&env.metrics) || alarms_new(&env.alarms, 100))
		abort();
	p->env = env;
	p->ev = &events;
	p->ev_arg = p;
	p->scratch = malloc(FRAME_DOWN_MOST);
	p->instances = instance_new(p, "one", size % 2 ? "mqtt" : "other");
	if (!p->instances || !p->scratch)
		abort();
	p->instances->setup = post_new("\0\0\0\1\1", 5);
	p->instances->state = INSTANCE_STARTING;
	p->instances->ref = ++p->last_ref;
	saved = hush();
	feed(p->instances, data, size);
	if (p->instances->alarms_n > ALARMS_MOST || p->instances->counters_n > COUNTERS_MOST ||
	    p->instances->commands > PLUGINS_COMMANDS_MOST || alarms_count(env.alarms) > ALARMS_MOST)
		abort();
	metrics_each(env.metrics, count, &series);
	if (series > COUNTERS_MOST + 5)
		abort();
	instance_free(p->instances);
	dup2(saved, STDERR_FILENO);
	close(saved);
	if (alarms_count(env.alarms))
		abort();
	timer_cancel(loop_timers(loop), &p->kick);
	alarms_free(env.alarms);
	metrics_free(env.metrics);
	free(p->scratch);
	free(p);
	return 0;
}
