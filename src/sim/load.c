/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - the load generator: which mode, which options
 *
 * Every mode prints one JSON object on one line, so that a run is read by a program as well as by a person.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "sim/args.h"
#include "sim/load.h"
#include "sim/sim.h"

#define O(member) offsetof(struct load_opts, member)

static const struct args_item items[] = {
	{ .kind = ARGS_HEAD, .help = "Load:" },
	{ ARGS_UINT, .name = "endpoints", .offset = O(endpoints), .preset = "64", .least = 1, .most = 100000,
	  .help = "Devices, each with an address or an External Identifier of its own." },
	{ ARGS_UINT, .name = "window", .offset = O(window), .preset = "64", .least = 1, .most = 100000,
	  .help = "Requests in flight over all devices; each has at most one." },
	{ ARGS_UINT, .name = "rate", .offset = O(rate), .preset = "0", .most = 1000000,
	  .help = "Requests offered in a second; 0: as many as the window lets through." },
	{ ARGS_UINT, .name = "then-rate", .offset = O(then_rate), .preset = "0", .most = 1000000,
	  .help = "After the run another one at this rate, which prints a second line; 0: none." },
	{ ARGS_UINT, .name = "unanswered", .offset = O(unanswered), .preset = "0", .most = 100000,
	  .help = "More devices (udp) that send one request before the run, which the server never answers." },
	{ ARGS_UINT, .name = "body", .offset = O(body), .most = 1280, .meta = "OCTETS",
	  .help = "Payload of a request; 0 and without this option 64, t8 24 (a notification of about 255 octets)." },
	{ ARGS_FLAG, .name = "register", .offset = O(register_first),
	  .help = "The first request of each device is a Register." },
	{ ARGS_FLAG, .name = "report", .offset = O(report),
	  .help = "udp, copy: each request is a Send of ten values in SenML CBOR." },
	{ .kind = ARGS_HEAD, .help = "Run:" },
	{ ARGS_UINT, .name = "seconds", .offset = O(seconds), .preset = "5", .least = 1, .most = 3600,
	  .help = "Measured part." },
	{ ARGS_UINT, .name = "warmup-ms", .offset = O(warmup_ms), .preset = "1000", .most = 600000,
	  .help = "Part before it that is not counted." },
	{ ARGS_UINT, .name = "timeout-ms", .offset = O(timeout_ms), .preset = "2000", .least = 1, .most = 600000,
	  .help = "A request without an answer counts as lost after this time; nothing is sent again." },
	{ ARGS_UINT, .name = "pid", .offset = O(pid), .preset = "0", .most = 4194304,
	  .help = "The gateway's process, for its CPU time per trip." },
	{ ARGS_TEXT, .name = "ends-cpu", .offset = O(ends_cpu), .help = "Core that this side keeps to." },
	{ ARGS_TEXT, .name = "dut-cpu", .offset = O(dut_cpu),
	  .help = "Core that the baselines (copy, pingpong) keep to." },
	{ .kind = ARGS_HEAD, .help = "Ends:" },
	{ ARGS_TEXT, .name = "to", .meta = "HOST:PORT", .offset = O(to), .preset = "127.0.0.1:20000",
	  .help = "udp: where the gateway's link listens." },
	{ ARGS_TEXT, .name = "first", .meta = "ADDRESS", .offset = O(first), .preset = "127.64.0.1",
	  .help = "udp, copy: address of the first device; the others have the ones that follow." },
	{ ARGS_TEXT, .name = "server", .meta = "HOST:PORT", .offset = O(server), .preset = "127.0.0.1:5683",
	  .help = "udp, t8: where the built-in CoAP server listens; udp: none, when another one answers." },
	{ ARGS_TEXT, .name = "listen", .meta = "HOST:PORT", .offset = O(listen), .preset = "127.0.0.1:8080",
	  .help = "t8, sink: where the built-in SCEF listens." },
	{ ARGS_TEXT, .name = "scs-as-id", .offset = O(scs_as_id), .preset = "gw01",
	  .help = "t8: as in the gateway's link." },
	{ ARGS_UINT, .name = "connections", .offset = O(connections), .preset = "64", .least = 1, .most = 4096,
	  .help = "t8: kept connections to the gateway's callback." },
	{ ARGS_UINT, .name = "status", .offset = O(status), .preset = "200", .least = 200, .most = 201,
	  .help = "t8, sink: answer to a delivery, 200 (finished) or 201 (pending)." },
	{ ARGS_TEXT, .name = "cert", .meta = "FILE", .offset = O(cert_file),
	  .help = "t8, sink: certificate of the built-in SCEF; it then speaks TLS." },
	{ ARGS_TEXT, .name = "key", .meta = "FILE", .offset = O(key_file), .help = "t8, sink: its private key." },
	{ ARGS_TEXT, .name = "ca", .meta = "FILE", .offset = O(ca_file),
	  .help = "t8: what the certificate of the gateway's callback must go back to." },
	{ .kind = ARGS_HEAD }
};

static const struct {
	const char *name;
	int (*run)(const struct load_opts *o);
} modes[] = {
	{ "udp", load_udp },           { "t8", load_t8 },     { "copy", load_copy },
	{ "pingpong", load_pingpong }, { "sink", load_sink },
};

static const char usage[] =
	"MODE [OPTION ..]\n\n"
	"Offers load to a gateway and prints rate, latencies and CPU time per trip as one JSON line.\n\n"
	"  udp       datagrams of many devices through a udp link to the built-in CoAP server\n"
	"  t8        notifications over HTTP/1.1 to a t8 link, through to the built-in CoAP server, and deliveries "
	"back\n"
	"  copy      the same load as udp through a bare copier of datagrams: the limit of the machine\n"
	"  pingpong  one datagram at a time to an echo and back\n"
	"  sink      only the built-in SCEF, until it is ended";

int sim_load(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	bool help = !strncmp(mode, "--", 2) || !*mode;
	struct load_opts o = { 0 };
	int status = SIM_USAGE, err;

	/* options stand behind the mode; what is asked of no mode is help */
	err = args_parse(&o, items, usage, help ? argc : argc - 1, help ? argv : argv + 1);
	if (err > 0)
		status = SIM_OK;
	if (!o.body)
		o.body = strcmp(mode, "t8") ? 64 : 24;
	for (size_t i = 0; !err && i < sizeof modes / sizeof *modes; i++)
		if (!strcmp(mode, modes[i].name)) {
			status = modes[i].run(&o);
			break;
		} else if (i + 1 == sizeof modes / sizeof *modes) {
			fprintf(stderr, "niddgw-sim load: no mode \"%s\"; see --help\n", mode);
		}
	args_free(&o, items);
	return status;
}
