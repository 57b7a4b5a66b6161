/* SPDX-License-Identifier: Apache-2.0 */
/* run.c - the life of an end: options, loop, signals, status */
#include "sim/sim.h"

#include <errno.h>
#include <signal.h>

#include "base/loop.h"
#include "base/random.h"
#include "sim/args.h"

static void on_signal(void *arg, int signo)
{
	(void)signo;
	loop_stop(arg);
}

static int run(const struct sim_end *e)
{
	struct loop *loop;
	int err = loop_new(&loop);

	if (err)
		return err;
	*e->loop = loop;
	loop_on_signal(loop, SIGTERM, on_signal, loop);
	loop_on_signal(loop, SIGINT, on_signal, loop);
	signal(SIGPIPE, SIG_IGN);
	err = e->start(e->arg);
	if (!err)
		err = loop_run(loop);
	e->finish(e->arg);
	loop_free(loop);
	return err;
}

int sim_run(const struct sim_end *e, int argc, char **argv)
{
	int err = args_parse(e->opts, e->items, e->usage, argc, argv), status = SIM_OK;

	if (!err) {
		if (*e->seed)
			random_seed(*e->seed);
		err = run(e);
		status = err == -EINVAL ? SIM_USAGE : err ? SIM_FAILED : SIM_OK;
	} else if (err < 0) {
		status = SIM_USAGE;
	}
	args_free(e->opts, e->items);
	return status;
}
