/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - what sessions tell of devices and requests stands among what was sent
 *
 * `watch` before the first command. Then `> event DEVICE registered SERVER lifetime=86400 ..`, and of requests on their
 * way down `> state DEVICE queued q-1 SERVER attempt=0 cause=asleep`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "replay.h"
#include "session/watch.h"

static bool watching;
static char changed[16][160]; /* devices since somebody looked */
static unsigned changed_n;

static void on_changed(void *arg, const struct device *d)
{
	(void)arg;
	for (unsigned i = 0; i < changed_n; i++)
		if (strcmp(changed[i], device_name(d)) == 0)
			return;
	if (changed_n < sizeof changed / sizeof changed[0])
		snprintf(changed[changed_n++], sizeof changed[0], "%s", device_name(d));
}

static void on_event(void *arg, const struct device *d, const struct session_news *n)
{
	char reg[96] = "";

	(void)arg;
	if (n->has_registration)
		snprintf(reg, sizeof reg, " lifetime=%llu binding=%s lwm2m=%s", (unsigned long long)n->lifetime_s,
			 n->binding && *n->binding ? n->binding : "-", n->lwm2m ? n->lwm2m : "-");
	output_add(NULL, 0, "event %s %s %s%s%s%s%s", device_name(d), session_event_names[n->event],
		   n->server ? n->server : "-", n->reason ? " reason=" : "", n->reason ? n->reason : "", reg,
		   n->objects ? " objects" : "");
}

static void on_down(void *arg, const struct device *d, const struct down_news *n)
{
	char retry[48] = "";

	(void)arg;
	if (n->retry_wall_ms)
		snprintf(retry, sizeof retry, " retry=%llus",
			 (unsigned long long)(n->retry_wall_ms - clock_wall_ms()) / 1000);
	output_add(NULL, 0, "state %s %s %s %s attempt=%u%s%s%s", device_name(d), down_state_names[n->state], n->id,
		   n->server, n->attempt, n->cause ? " cause=" : "", n->cause ? n->cause : "", retry);
}

static void on_gone(void *arg, const struct device *d)
{
	(void)arg;
	output_add(NULL, 0, "gone %s", device_name(d));
}

static const struct sessions_watch watch = { on_changed, on_event, on_down, on_gone };

bool watch_line(const struct words *w)
{
	if (strcmp(w->v[0], "watch") != 0 || w->n != 1)
		return false;
	if (world.sessions)
		fail("watch stands before the first command");
	watching = true;
	return true;
}

bool watch_is_on(void)
{
	return watching;
}

void watch_run(void)
{
	if (watching)
		sessions_set_watch(world.sessions, &watch, NULL);
	changed_n = 0;
}

/* changed DEVICE yes|no: since the last time that somebody looked */
void watch_command(const struct words *w)
{
	const char *name = w->n == 3 ? w->v[1] : "", *found = "no";

	for (unsigned i = 0; i < changed_n; i++)
		if (strcmp(changed[i], name) == 0)
			found = "yes";
	if (w->n != 3 || strcmp(w->v[2], found) != 0)
		fail("changed is %s", found);
	changed_n = 0;
}
