/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - niddgwd: arguments and exit codes */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/version.h"
#include "gateway.h"
#include "plugin/describe.h"

#define DEFAULT_FILE "/etc/niddgw/niddgw.conf"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

struct options {
	const char *file;
	bool test, verbose, print_defaults, print_config;
};

static const char usage_text[] = "usage: niddgwd [-c FILE] [-t] [-v] [--print-config | --print-defaults]\n"
				 "Joins non-IP LwM2M devices to LwM2M servers. Stays in the foreground.\n"
				 "\n"
				 "  -c, --config FILE   main configuration file (default " DEFAULT_FILE ");\n"
				 "                      conf.d/*.conf and devices.d/*.conf beside it are read too\n"
				 "  -t, --test          check the configuration, print every fault, exit 0 or 1\n"
				 "  -v, --verbose       log at level debug\n"
				 "      --print-config  print the effective configuration, secrets masked\n"
				 "      --print-defaults  print an annotated file with every key\n"
				 "  -h, --help          this text\n"
				 "  -V, --version       version\n"
				 "\n"
				 "Signals: SIGHUP reloads, SIGTERM and SIGINT stop (a second one at once).\n"
				 "Exit codes: 0 ok, 1 failed, 2 usage.\n";

static int print_usage_error(void)
{
	fputs("niddgwd: try --help\n", stderr);
	return EXIT_USAGE;
}

/* EXIT_OK with o filled; -1: done, with success; EXIT_USAGE. */
static int parse_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },   { "test", no_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' },        { "print-config", no_argument, NULL, 'P' },
		{ "print-defaults", no_argument, NULL, 'D' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },        { NULL, 0, NULL, 0 },
	};
	int c;

	*o = (struct options){ .file = DEFAULT_FILE };
	while ((c = getopt_long(argc, argv, "c:tvhV", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->file = optarg;
			break;
		case 't':
			o->test = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'P':
			o->print_config = true;
			break;
		case 'D':
			o->print_defaults = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return -1;
		case 'V':
			printf("niddgwd %s\n", niddgw_build);
			return -1;
		default:
			return print_usage_error();
		}
	}
	if (optind < argc) {
		fprintf(stderr, "niddgwd: unexpected argument \"%s\"\n", argv[optind]);
		return print_usage_error();
	}
	return EXIT_OK;
}

/* What comes while the daemon starts waits until it can be obeyed: a reload asked for too early must not end it. */
static void hold_signals(int how)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGHUP);
	sigprocmask(how, &held, NULL);
}

static int run(const struct options *o, const struct conf_schema *schema, struct conf *conf)
{
	struct gateway *g = NULL;
	int err = gateway_open(&g, o->file, schema, conf, o->verbose);

	describer_hurry(schema->arg);

	if (!err) {
		hold_signals(SIG_UNBLOCK);
		err = gateway_run(g);
	}
	gateway_close(g);
	return err ? EXIT_FAILED : EXIT_OK;
}

/* Everything that needs a configuration, or its schema. */
static int act(const struct options *o, const struct conf_schema *schema)
{
	struct conf *conf = NULL;
	int status;

	if (o->print_defaults) {
		conf_print_defaults(schema, stdout);
		return ferror(stdout) || fflush(stdout) ? EXIT_FAILED : EXIT_OK;
	}
	if (!o->test && !o->print_config)
		hold_signals(SIG_BLOCK);
	status = conf_load(&conf, o->file, schema, stderr);
	if (o->test && registry_check(o->file, stderr) && !status) {
		conf_free(conf);
		status = -EINVAL;
	}
	if (status)
		return EXIT_FAILED;
	if (o->print_config)
		conf_print(conf, schema, stdout);
	if (o->test || o->print_config) {
		conf_free(conf);
		return EXIT_OK;
	}
	return run(o, schema, conf);
}

int main(int argc, char **argv)
{
	struct conf_schema schema = gateway_schema;
	struct describer *plugins = NULL;
	struct options o;
	int status = parse_options(&o, argc, argv);

	if (status)
		return status < 0 ? EXIT_OK : status;
	signal(SIGPIPE, SIG_IGN);
	log_open();
	if (describer_new(&plugins, NULL, o.test))
		return EXIT_FAILED;
	schema.arg = plugins;
	status = act(&o, &schema);
	describer_free(plugins);
	return status;
}
