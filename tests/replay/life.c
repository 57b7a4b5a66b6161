/* SPDX-License-Identifier: Apache-2.0 */
/* life.c - the store of a scenario, and the lives before and after a restart
 *
 * A crash is a power cut: what the disk does not have is gone, and the sessions are freed without being heard. A stop
 * hands over what there is, as the daemon does at its end. What is started afterwards gets a configuration, links and
 * servers of its own.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "replay.h"

bool life_line(const struct words *w)
{
	if (strcmp(w->v[0], "store") != 0 || w->n != 1)
		return false;
	if (world.conf || world.store)
		fail("store stands once, before the first command");
	world.store = fake_store_new();
	return true;
}

/* disk sync|write [journal|state]: all that was handed over is durable, and told unless "write" | disk tell: what was
 * written | disk auto|slow|fail */
static void command_disk(const struct words *w)
{
	const char *what = w->n > 1 ? w->v[1] : "", *part = w->n > 2 ? w->v[2] : "";

	if (strcmp(what, "sync") == 0 || strcmp(what, "write") == 0) {
		fake_store_write(world.store, strcmp(part, "state") != 0, strcmp(part, "journal") != 0);
		if (*what == 's')
			fake_store_tell(world.store);
	} else if (strcmp(what, "tell") == 0) {
		fake_store_tell(world.store);
	} else if (strcmp(what, "auto") == 0) {
		fake_store_disk(world.store, DISK_QUICK);
	} else if (strcmp(what, "slow") == 0) {
		fake_store_disk(world.store, DISK_SLOW);
	} else if (strcmp(what, "fail") == 0) {
		fake_store_disk(world.store, DISK_BROKEN);
	} else {
		fail("a disk does not \"%s\"", what);
	}
}

static void end_life(bool crash)
{
	world.dead = true;
	if (crash) {
		fake_store_cut(world.store);
		fake_link_crash();
	} else {
		sessions_save(world.sessions);
	}
	conf_close();
	mirror_ended();
	if (!crash) {
		fake_link_crash();
		fake_store_write(world.store, true, true);
		fake_store_tell(world.store);
	}
	world_ended();
	world.dead = false;
	world.crashed = true;
}

/* restart|reboot [after TIME] [clock untrusted]; reboot: the clock since boot begins anew */
static void command_restart(const struct words *w, bool reboot)
{
	uint64_t after_ms = w->n > 2 && strcmp(w->v[1], "after") == 0 ? time_parse(w->v[2]) : 0;
	bool untrusted = w->n > 2 && strcmp(w->v[w->n - 2], "clock") == 0 && strcmp(w->v[w->n - 1], "untrusted") == 0;

	if (w->n != 1u + (w->n > 2 && strcmp(w->v[1], "after") == 0 ? 2 : 0) + (untrusted ? 2 : 0))
		fail("restart takes after TIME and clock untrusted");
	if (!world.crashed)
		end_life(false);
	if (reboot) {
		uint64_t wall_ms = world.wall_base_ms + world.now_ms;

		world.now_ms = CLOCK_BASE_MS + 5000;
		world.wall_base_ms = wall_ms - world.now_ms;
	}
	time_turn(world.now_ms + after_ms);
	world.step_ms = world.now_ms;
	world.crashed = false;
	world_run();
	fake_store_start(world.store, !untrusted);
	conf_apply();
}

/* clock +TIME | -TIME | 1970: somebody sets the wall clock */
static void command_clock(const char *how)
{
	uint64_t wall_ms = world.wall_base_ms + world.now_ms;

	if (strcmp(how, "1970") == 0)
		wall_ms = 60000;
	else if (*how == '+')
		wall_ms += time_parse(how + 1);
	else if (*how == '-')
		wall_ms -= time_parse(how + 1);
	else
		fail("the clock is set by +TIME, -TIME or to 1970");
	world.wall_base_ms = wall_ms - world.now_ms; /* it may wrap: only the sum counts */
	time_turn(world.now_ms);
}

static void check(const char *what, const char *want, size_t have)
{
	if (number_parse(want) != (long)have)
		fail("%s: %zu", what, have);
}

void life_command(const struct words *w, const char *verb)
{
	if (strcmp(verb, "ports-taken") == 0 && w->n == 2)
		fake_server_ports((unsigned)number_parse(w->v[1]));
	else if (strcmp(verb, "clock") == 0 && w->n == 2)
		command_clock(w->v[1]);
	else if (!world.store)
		fail("there is no store");
	else if (strcmp(verb, "disk") == 0)
		command_disk(w);
	else if (strcmp(verb, "restart") == 0 || strcmp(verb, "reboot") == 0)
		command_restart(w, verb[2] == 'b');
	else if (strcmp(verb, "entries") == 0 && w->n == 2)
		check("open entries", w->v[1], fake_store_open_entries(world.store));
	else if (strcmp(verb, "keys") == 0 && w->n == 2)
		check("keys", w->v[1], fake_store_keys(world.store, STORE_SESSION));
	else if (world.crashed)
		fail("nothing runs");
	else
		end_life(strcmp(verb, "crash") == 0);
}
