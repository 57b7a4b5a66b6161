/* SPDX-License-Identifier: Apache-2.0 */
/* lw_server.c - niddgw-sim server: options, start and end */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sim/lw.h"
#include "sim/sim.h"

static const char *const token_words[] = { "random", "count", NULL };

#define AT(member) offsetof(struct lw_opts, member)
const struct args_item lw_items[] = {
	{ ARGS_HEAD, .help = "Where" },
	{ ARGS_TEXT, false, "listen", "HOST:PORT", AT(listen), "127.0.0.1:5683", 0, 0, NULL,
	  "UDP address of the server; port 0 takes a free one, told by the ready event" },
	{ ARGS_TEXT, false, "control", "unix:PATH|HOST:PORT", AT(control), NULL, 0, 0, NULL,
	  "takes commands there as well as on standard input; every line printed goes there too" },
	{ ARGS_HEAD, .help = "How it answers devices (live: changed by the command set)" },
	{ ARGS_UINT, true, "delay-ms", "MS", AT(delay_ms), "0", 0, 3600000, NULL,
	  "answers leave so much later, after an empty ACK" },
	{ ARGS_FLAG, true, "separate", NULL, AT(separate), NULL, 0, 0, NULL,
	  "answers are separate responses even without a delay" },
	{ ARGS_FLAG, false, "deaf", NULL, AT(deaf), NULL, 0, 0, NULL,
	  "hears nothing from the start; see the command deaf" },
	{ ARGS_FLAG, true, "strict", NULL, AT(strict), NULL, 0, 0, NULL,
	  "refuses what Leshan refuses: lwm2m above 1.1 (4.12), b=N or Q with 1.0, b=UQ with 1.1, NON Register, Send "
	  "from an unknown address" },
	{ ARGS_HEAD, .help = "How it asks devices" },
	{ ARGS_FLAG, true, "non", NULL, AT(non), NULL, 0, 0, NULL, "requests are NON" },
	{ ARGS_UINT, true, "timeout-ms", "MS", AT(timeout_ms), "120000", 10, 86400000, NULL,
	  "a request without an answer fails after this" },
	{ ARGS_UINT, false, "ack-timeout", "S", AT(ack_timeout_s), "2", 1, 300, NULL, "ACK_TIMEOUT of RFC 7252" },
	{ ARGS_UINT, false, "max-retransmit", "N", AT(max_retransmit), "4", 0, 10, NULL, "MAX_RETRANSMIT of RFC 7252" },
	{ ARGS_UINT, false, "nstart", "N", AT(nstart), "1", 1, 1000, NULL, "CON requests in flight per device" },
	{ ARGS_WORD, true, "tokens", NULL, AT(tokens), "random", 0, 0, token_words,
	  "tokens of requests: random, or counted upwards from 1 as some servers do" },
	{ ARGS_UINT, true, "token-len", "OCTETS", AT(token_len), "8", 1, 8, NULL, "length of tokens" },
	{ ARGS_LIST, false, "observe", "PATH", AT(observe), NULL, 0, 0, NULL,
	  "observes it on each device that registers" },
	{ ARGS_LIST, false, "read", "PATH", AT(read), NULL, 0, 0, NULL, "reads it on each device that registers" },
	{ ARGS_TEXT, true, "accept", "FORMAT", AT(accept), NULL, 0, 0, NULL,
	  "format asked for when a command names none: text tlv senml-json senml-cbor cbor opaque or a number" },
	{ ARGS_HEAD, .help = "The run" },
	{ ARGS_FLAG, false, "quiet", NULL, AT(quiet), NULL, 0, 0, NULL, "prints answers to commands only" },
	{ ARGS_UINT, false, "seconds", "S", AT(seconds), "0", 0, 86400000, NULL,
	  "ends by itself after so long; 0: never" },
	{ ARGS_UINT, false, "seed", "N", AT(seed), "0", 0, UINT64_MAX, NULL, "reproducible tokens; 0: unpredictable" },
	{ .kind = ARGS_HEAD },
};
#undef AT

static const char usage[] =
	"[OPTION ..]\n\n"
	"A small LwM2M server on UDP, for tests. It takes Register, Update, De-register (/rd) and Send (/dp), and "
	"prints one JSON\n"
	"object per line: ready, registered, updated, deregistered, expired, send, response, notify, failed, refused, "
	"duplicate,\n"
	"unknown. Requests go to the address and port that a device registered from.\n\n"
	"Commands, one a line, JSON or words (the command help lists them):\n"
	"  read EP PATH            write EP PATH VALUE        execute EP PATH [ARGUMENTS]\n"
	"  observe EP PATH         cancel EP PATH [passive]   discover EP PATH\n"
	"  create EP PATH          delete EP PATH             attributes EP PATH QUERY\n"
	"  fetch EP PATHS          ipatch EP                  raw EP ..     answer ON CODE\n"
	"  {\"cmd\":\"read\",\"id\":7,\"ep\":\"m1\",\"path\":\"/3/0\",\"accept\":\"tlv\"} is answered by\n"
	"  {\"ev\":\"response\",\"id\":7,\"code\":\"2.05\",..} or {\"ev\":\"failed\",\"id\":7,\"why\":\"timeout\"}";

static const struct end_ops ops = {
	.request = lw_on_request,
	.duplicate = lw_on_duplicate,
	.response = lw_on_response,
	.failed = lw_on_failed,
};

static void on_stop(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	loop_stop(container_of(t, struct lw, stop)->loop);
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "niddgw-sim server: %s: %s\n", what, strerror(-err));
	return err;
}

static int start(void *arg)
{
	struct lw *lw = arg;
	struct console_conf conf = { lw->opts.control, lw->opts.quiet, lw_verbs, lw };
	char text[ADDR_TEXT_MAX];
	struct addr wanted;
	int err;

	if (addr_parse(&wanted, lw->opts.listen, true))
		return fail(lw->opts.listen, -EINVAL);
	err = end_open(&lw->end, lw->loop, &ops, lw);
	if (!err)
		err = end_listen(lw->end, &wanted, &lw->local);
	if (err)
		return fail(lw->opts.listen, err);
	end_deaf(&lw->local, lw->opts.deaf);
	err = console_open(&lw->console, lw->loop, &conf);
	if (err)
		return fail(lw->opts.control ? lw->opts.control : "standard input", err);
	addr_format(&lw->local, text, sizeof text);
	console_print(lw->console, json_pack("{s:s, s:s, s:s}", "ev", "ready", "sim", "server", "listen", text));
	if (lw->opts.seconds)
		timer_set(loop_timers(lw->loop), &lw->stop, clock_now_ms() + lw->opts.seconds * 1000, on_stop);
	return 0;
}

static void finish(void *arg)
{
	struct lw *lw = arg;
	struct lw_rule *rule;
	struct map_node *n, *next;
	size_t i = 0;

	lw_drop_asks(lw, NULL, NULL);
	for (i = 0, n = map_next(&lw->by_ep, &i, NULL); n; n = next) {
		next = map_next(&lw->by_ep, &i, n);
		lw_forget(container_of(n, struct lw_reg, by_ep));
	}
	while ((rule = lw->rules)) {
		lw->rules = rule->next;
		free(rule);
	}
	console_close(lw->console);
	end_close(lw->end);
	map_fini(&lw->by_ep);
	map_fini(&lw->by_location);
	map_fini(&lw->asks);
	timer_cancel(loop_timers(lw->loop), &lw->stop);
}

int sim_server(int argc, char **argv)
{
	struct lw lw = { .end = NULL };
	const struct sim_end end = {
		.arg = &lw,
		.loop = &lw.loop,
		.opts = &lw.opts,
		.items = lw_items,
		.usage = usage,
		.seed = &lw.opts.seed,
		.start = start,
		.finish = finish,
	};

	return sim_run(&end, argc, argv);
}
