/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - niddgw-sim device: options, start and end of a fleet */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/random.h"
#include "sim/dev.h"
#include "sim/sim.h"

#define PER_CONTEXT 100 /* libcoap walks all sessions of a context in each pass */

enum { VARY_AUTO, VARY_PORT, VARY_ADDRESS };
static const char *const vary_words[] = { "auto", "port", "address", NULL };
static const char *const type_words[] = { "non", "con", NULL };

#define AT(member) offsetof(struct devs_opts, member)
const struct args_item devs_items[] = {
	{ ARGS_HEAD, .help = "Where" },
	{ ARGS_TEXT, false, "to", "HOST:PORT", AT(to), "127.0.0.1:5683", 0, 0, NULL,
	  "the server, or the radio of an SCEF, or a link udp of a gateway" },
	{ ARGS_TEXT, false, "bind-base", "HOST[:PORT]", AT(bind_base), "127.1.0.1", 0, 0, NULL,
	  "source of the first device; the others count upwards, by port when one is given, else by address (port 5683 "
	  "each)" },
	{ ARGS_WORD, false, "vary", NULL, AT(vary), "auto", 0, 0, vary_words,
	  "what tells devices apart: the port, or the address with the port given" },
	{ ARGS_TEXT, false, "control", "unix:PATH|HOST:PORT", AT(control), NULL, 0, 0, NULL,
	  "takes commands there as well as on standard input; every line printed goes there too" },
	{ ARGS_HEAD, .help = "Who" },
	{ ARGS_UINT, false, "count", "N", AT(count), "1", 1, 100000, NULL, "how many devices" },
	{ ARGS_UINT, false, "first", "N", AT(first), "1", 0, 100000000, NULL, "number of the first one" },
	{ ARGS_TEXT, false, "prefix", "TEXT", AT(prefix), "dev-", 0, 0, NULL,
	  "endpoint names are TEXT and the number" },
	{ ARGS_TEXT, false, "ep-template", "TEMPLATE", AT(ep_template), NULL, 0, 0, NULL,
	  "endpoint names in another form: {n} the number, {port} {addr} of the source" },
	{ ARGS_HEAD, .help = "Registration" },
	{ ARGS_UINT, false, "lifetime", "S", AT(lifetime_s), "86400", 1, 1000000000, NULL, "lt" },
	{ ARGS_TEXT, false, "lwm2m", "VERSION", AT(lwm2m), "1.1", 0, 0, NULL, "lwm2m" },
	{ ARGS_TEXT, false, "binding", "LETTERS", AT(binding), "N", 0, 0, NULL, "b" },
	{ ARGS_FLAG, false, "queue", NULL, AT(queue), NULL, 0, 0, NULL, "registers with Q" },
	{ ARGS_TEXT, false, "path-prefix", "PATH", AT(path_prefix), NULL, 0, 0, NULL,
	  "a path before rd and dp, as a server URI may have" },
	{ ARGS_UINT, false, "rate", "N", AT(rate), "50", 1, 100000, NULL, "registrations a second at the start" },
	{ ARGS_FLAG, false, "idle", NULL, AT(idle), NULL, 0, 0, NULL,
	  "registers only when told to (command register)" },
	{ ARGS_UINT, false, "update", "S", AT(update_s), "0", 0, 1000000000, NULL,
	  "between updates; 0: at nine tenths of the lifetime" },
	{ ARGS_UINT, false, "retry-ms", "MS", AT(retry_ms), "10000", 1, 86400000, NULL,
	  "before a failed registration is tried again" },
	{ ARGS_UINT, false, "ack-timeout", "S", AT(ack_timeout_s), "15", 1, 300, NULL, "ACK_TIMEOUT of RFC 7252" },
	{ ARGS_UINT, false, "max-retransmit", "N", AT(max_retransmit), "4", 0, 10, NULL, "MAX_RETRANSMIT of RFC 7252" },
	{ ARGS_FLAG, false, "deregister", NULL, AT(deregister), NULL, 0, 0, NULL,
	  "the command quit and --seconds de-register first" },
	{ ARGS_HEAD, .help = "Reports" },
	{ ARGS_UINT, true, "notify", "MS", AT(notify_ms), "0", 0, 86400000, NULL,
	  "a notification of each observation every so often; 0: only by command" },
	{ ARGS_WORD, true, "notify-type", NULL, AT(notify_type), "non", 0, 0, type_words,
	  "message type of notifications" },
	{ ARGS_UINT, true, "send", "S", AT(send_s), "0", 0, 86400, NULL,
	  "a Send of /3303/0/5700 every so often; 0: only by command" },
	{ ARGS_HEAD, .help = "Answers" },
	{ ARGS_UINT, true, "format", "N", AT(format), "11542", 0, 65535, NULL,
	  "content format without Accept: 11542 TLV, 110 SenML JSON, 112 SenML CBOR (one resource: text)" },
	{ ARGS_UINT, true, "answer-delay-ms", "MS", AT(answer_delay_ms), "0", 0, 3600000, NULL,
	  "answers leave so much later, after an empty ACK" },
	{ ARGS_FLAG, true, "separate", NULL, AT(separate), NULL, 0, 0, NULL,
	  "answers are separate responses even without a delay" },
	{ ARGS_UINT, true, "block-size", "OCTETS", AT(block_size), "1024", 16, 1024, NULL,
	  "longer answers are cut into blocks" },
	{ ARGS_HEAD, .help = "The run" },
	{ ARGS_FLAG, false, "quiet", NULL, AT(quiet), NULL, 0, 0, NULL, "prints answers to commands only" },
	{ ARGS_UINT, false, "seconds", "S", AT(seconds), "0", 0, 86400000, NULL,
	  "ends by itself after so long; 0: never" },
	{ ARGS_UINT, false, "seed", "N", AT(seed), "0", 0, UINT64_MAX, NULL,
	  "reproducible values and times; 0: unpredictable" },
	{ .kind = ARGS_HEAD },
};
#undef AT

static const char usage[] =
	"[OPTION ..]\n\n"
	"LwM2M clients on UDP, each with an address or port of its own and with the objects 1 (server), 3 (device) and "
	"3303\n"
	"(temperature). They register, update, report, and answer read, write, execute, observe, discover, create, "
	"delete and\n"
	"composite requests in text, TLV, SenML JSON and SenML CBOR. Prints one JSON object per line: ready, "
	"registered, updated,\n"
	"deregistered, sent, notified, request (each one answered), cancelled, refused, failed, duplicate.\n\n"
	"Commands, one a line, JSON or words (the command help lists them): update EP, register EP, deregister EP,\n"
	"set EP PATH VALUE, notify EP [PATH], send EP PATHS, stop EP, deaf EP on|off, answer EP PATH CODE, list, count";

static const struct end_ops ops = {
	.request = dev_on_request,
	.duplicate = dev_on_duplicate,
	.response = dev_on_response,
	.failed = dev_on_failed,
};

static void on_stop(struct timer *t, uint64_t now_ms)
{
	struct devs *all = container_of(t, struct devs, stop);
	bool waiting = false;

	(void)now_ms;
	for (size_t i = 0; i < all->n && all->opts.deregister; i++)
		waiting = dev_deregister(&all->list[i], NULL) == CONSOLE_LATER || waiting;
	if (!waiting) {
		loop_stop(all->loop);
		return;
	}
	all->opts.deregister = false; /* the answers get two seconds */
	timer_set(loop_timers(all->loop), t, clock_now_ms() + 2000, on_stop);
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "niddgw-sim device: %s: %s\n", what, strerror(-err));
	return err;
}

/* The source of the n-th device. */
static void source_of(const struct devs *all, const struct addr *base, size_t n, struct addr *out)
{
	*out = *base;
	if (all->opts.vary == VARY_PORT) {
		addr_set_port(out, (uint16_t)(addr_port(base) + n));
	} else if (out->u.sa.sa_family == AF_INET) {
		out->u.in.sin_addr.s_addr = htonl(ntohl(base->u.in.sin_addr.s_addr) + (uint32_t)n);
	} else {
		uint32_t last;

		memcpy(&last, &out->u.in6.sin6_addr.s6_addr[12], 4);
		last = htonl(ntohl(last) + (uint32_t)n);
		memcpy(&out->u.in6.sin6_addr.s6_addr[12], &last, 4);
	}
}

static char *name_of(const struct devs *all, const struct addr *a, size_t n)
{
	const char *template = all->opts.ep_template;
	char host[ADDR_TEXT_MAX], out[256];
	size_t at = 0;

	if (!template) {
		snprintf(out, sizeof out, "%s%llu", all->opts.prefix, (unsigned long long)(all->opts.first + n));
		return strdup(out);
	}
	addr_format(a, host, sizeof host);
	host[strrchr(host, ':') ? (size_t)(strrchr(host, ':') - host) : strlen(host)] = '\0';
	for (; *template && at + ADDR_TEXT_MAX < sizeof out; template ++) {
		if (!strncmp(template, "{n}", 3))
			at += (size_t)sprintf(out + at, "%llu", (unsigned long long)(all->opts.first + n));
		else if (!strncmp(template, "{port}", 6))
			at += (size_t)sprintf(out + at, "%u", addr_port(a));
		else if (!strncmp(template, "{addr}", 6))
			at += (size_t)sprintf(out + at, "%s", host);
		else
			out[at++] = *template;
		if (*template == '{' && strchr(template, '}'))
			template = strchr(template, '}');
	}
	out[at] = '\0';
	return strdup(out);
}

static void on_first_register(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	dev_register(container_of(t, struct dev, due));
}

static int open_device(struct devs *all, const struct addr *base, size_t n)
{
	struct dev *d = &all->list[n];
	int err = 0;

	d->all = all;
	d->index = (unsigned)n;
	d->instances = 1;
	d->celsius = 18 + (double)random_below(80) / 10;
	source_of(all, base, n, &d->local);
	d->ep = name_of(all, &d->local, n);
	if (n % PER_CONTEXT == 0) {
		err = end_open(&all->ends[all->ends_n], all->loop, &ops, all);
		all->ends_n += !err;
	}
	d->end = all->ends_n ? all->ends[all->ends_n - 1] : NULL;
	d->session = err || !d->ep ? NULL : end_connect(d->end, &d->local, &all->server);
	if (!d->session)
		return err ? err : -EADDRNOTAVAIL;
	coap_session_set_app_data(d->session, d);
	coap_session_set_ack_timeout(d->session, (coap_fixed_point_t){ (uint16_t)all->opts.ack_timeout_s, 0 });
	coap_session_set_max_retransmit(d->session, (uint16_t)all->opts.max_retransmit);
	if (!all->opts.idle)
		timer_set(loop_timers(all->loop), &d->due, clock_now_ms() + n * 1000 / all->opts.rate,
			  on_first_register);
	return 0;
}

static void raise_files(size_t n)
{
	struct rlimit lim;

	if (!getrlimit(RLIMIT_NOFILE, &lim) && lim.rlim_cur < n + 256) {
		lim.rlim_cur = n + 256 < lim.rlim_max ? n + 256 : lim.rlim_max;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
}

static int open_devices(struct devs *all)
{
	struct addr base;

	if (addr_parse(&all->server, all->opts.to, true))
		return fail(all->opts.to, -EINVAL);
	if (addr_parse(&base, all->opts.bind_base, false))
		return fail(all->opts.bind_base, -EINVAL);
	if (all->opts.vary == VARY_AUTO)
		all->opts.vary = addr_port(&base) ? VARY_PORT : VARY_ADDRESS;
	if (!addr_port(&base))
		addr_set_port(&base, 5683);
	if (all->opts.vary == VARY_PORT && addr_port(&base) + all->opts.count > 65536)
		return fail("--count: there are not so many ports", -EINVAL);
	raise_files(all->opts.count * 2);
	all->list = calloc(all->opts.count, sizeof *all->list);
	all->ends = calloc(all->opts.count / PER_CONTEXT + 1, sizeof *all->ends);
	if (!all->list || !all->ends)
		return fail("memory", -ENOMEM);
	for (size_t i = 0; i < all->opts.count; i++) {
		int err;

		all->n = i + 1;
		err = open_device(all, &base, i);
		if (err) {
			char text[ADDR_TEXT_MAX];

			addr_format(&all->list[i].local, text, sizeof text);
			return fail(text, err);
		}
	}
	return 0;
}

static int start(void *arg)
{
	struct devs *all = arg;
	const struct console_conf conf = { all->opts.control, all->opts.quiet, devs_verbs, all };
	int err = open_devices(all);

	if (err)
		return err;
	err = console_open(&all->console, all->loop, &conf);
	if (err)
		return fail(all->opts.control ? all->opts.control : "standard input", err);
	console_print(all->console,
		      json_pack("{s:s, s:s, s:I, s:s}", "ev", "ready", "sim", "device", "count", (json_int_t)all->n,
				"to", all->opts.to));
	if (all->opts.seconds)
		timer_set(loop_timers(all->loop), &all->stop, clock_now_ms() + all->opts.seconds * 1000, on_stop);
	return 0;
}

static void finish(void *arg)
{
	struct devs *all = arg;
	struct dev_rule *rule;

	timer_cancel(loop_timers(all->loop), &all->stop);
	for (size_t i = 0; i < all->n; i++) {
		if (all->list[i].all)
			dev_free(&all->list[i]);
	}
	for (size_t i = 0; i < all->ends_n; i++)
		end_close(all->ends[i]);
	while ((rule = all->rules)) {
		all->rules = rule->next;
		free(rule);
	}
	console_close(all->console);
	free(all->list);
	free(all->ends);
	free(all->answer_room);
}

int sim_device(int argc, char **argv)
{
	struct devs all = { .n = 0 };
	const struct sim_end end = {
		.arg = &all,
		.loop = &all.loop,
		.opts = &all.opts,
		.items = devs_items,
		.usage = usage,
		.seed = &all.opts.seed,
		.start = start,
		.finish = finish,
	};

	return sim_run(&end, argc, argv);
}
