/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - niddgwctl: arguments, and a table of what can be asked
 *
 * What the daemon answers goes to stdout, complaints to stderr. Exit status 0 done, 1 failed or refused, 2 misused.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ctl/client.h"
#include "ctl/show.h"

#define DEFAULT_SOCKET "/run/niddgw/ctl"

enum { DONE, FAILED, MISUSED };
enum { LIST_PAGE = 500 };

struct call {
	struct client *client;
	bool json;
	const char *verb; /* as the daemon knows it */
	const char *name; /* NULL: none is taken */
	void (*show)(const json_t *data);
};

/* DEL is ASCII, so jansson leaves it alone; it stands in strings only. */
static int put_json(const char *text, size_t len, void *to)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == 0x7f)
			fputs("\\u007f", to);
		else
			putc(text[i], to);
	return 0;
}

/* Only printable ASCII, so that no terminal takes anything in it for a command. */
static void print_json(const json_t *data, size_t flags)
{
	json_dump_callback(data, put_json, stdout, flags | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
}

static void print_document(const json_t *data)
{
	print_json(data, JSON_INDENT(2));
	putchar('\n');
}

static int run_show(const struct call *call)
{
	json_t *request = json_pack("{s:s}", "verb", call->verb), *data;

	if (call->name && json_object_set_new(request, "name", json_string(call->name))) {
		complain("\"%s\" is not UTF-8", call->name);
		json_decref(request);
		return FAILED;
	}
	data = client_ask(call->client, request);
	if (!data)
		return FAILED;
	if (call->json)
		print_document(data);
	else
		call->show(data);
	json_decref(data);
	return DONE;
}

/* ---- device list: page by page, so that a million devices need no memory here or there ---- */

struct listing {
	struct table table;
	size_t printed;
};

static void list_page(struct listing *l, const struct call *call, const json_t *page)
{
	size_t i;
	json_t *device;

	if (call->json && !l->printed) {
		const json_t *ts = json_object_get(page, "ts");

		fputs("{\"v\":1,", stdout);
		if (ts) {
			fputs("\"ts\":", stdout);
			print_json(ts, JSON_COMPACT);
			putchar(',');
		}
		fputs("\"devices\":[", stdout);
	}
	json_array_foreach(json_object_get(page, "devices"), i, device)
	{
		if (!call->json) {
			show_add_device(&l->table, device);
			continue;
		}
		fputs(l->printed || i ? ",\n" : "\n", stdout);
		print_json(device, JSON_COMPACT);
	}
	l->printed += i + 1; /* never 0 again, even when the page was empty */
	if (!call->json)
		table_print(&l->table);
}

static int run_device_list(const struct call *call)
{
	struct listing l = { 0 };
	char *cursor = NULL;
	int status = DONE;

	table_init(&l.table, device_heads, device_columns);
	do {
		json_t *request = json_pack("{s:s, s:i, s:s*}", "verb", call->verb, "limit", LIST_PAGE, "cursor",
					    cursor);
		json_t *page = client_ask(call->client, request);
		const char *next = json_string_value(json_object_get(page, "next"));

		free(cursor);
		cursor = next ? strdup(next) : NULL;
		if (page)
			list_page(&l, call, page);
		if (!page || (next && !cursor))
			status = FAILED;
		json_decref(page);
	} while (cursor);
	if (call->json && l.printed)
		puts("\n]}");
	table_fini(&l.table);
	return status;
}

/* ---- reload ---- */

static int run_reload(const struct call *call)
{
	json_t *data = client_ask(call->client, json_pack("{s:s}", "verb", "reload")), *line;
	const char *result = json_string_value(json_object_get(data, "result"));
	bool refused = !result || strcmp(result, "ok") != 0;
	char text[2048];
	size_t i;

	if (!data)
		return FAILED;
	if (call->json)
		print_document(data);
	json_array_foreach(json_object_get(data, "report"), i, line)
	{
		text_escape(text, sizeof text, json_is_string(line) ? json_string_value(line) : "");
		if (!call->json || refused)
			fprintf(refused ? stderr : stdout, "%s\n", text);
	}
	if (refused)
		complain("the new configuration is refused; the running one is unchanged");
	json_decref(data);
	return refused ? FAILED : DONE;
}

/* ---- what can be asked ---- */

static const struct verb {
	const char *words; /* one or two */
	const char *argument;
	int (*run)(const struct call *call); /* NULL: known, and not built in this version */
	void (*show)(const json_t *data);
	const char *help;
} verbs[] = {
	{ "status", NULL, run_show, show_status, "the gateway at a glance" },
	{ "device list", NULL, run_device_list, NULL, "every device, one line each" },
	{ "device show", "NAME", run_show, show_object, "all that is known of one device" },
	{ "links", NULL, run_show, show_links, "the links to devices" },
	{ "servers", NULL, run_show, show_servers, "the LwM2M servers" },
	{ "alarms", NULL, run_show, show_alarms, "what is wrong now" },
	{ "reload", NULL, run_reload, NULL, "read the configuration again; a faulty one changes nothing" },
	{ "device add", NULL, NULL, NULL, NULL },
	{ "device remove", NULL, NULL, NULL, NULL },
	{ "device import", NULL, NULL, NULL, NULL },
	{ "device export", NULL, NULL, NULL, NULL },
	{ "queue", NULL, NULL, NULL, NULL },
	{ "plugins", NULL, NULL, NULL, NULL },
	{ "modem", NULL, NULL, NULL, NULL },
	{ "check", NULL, NULL, NULL, NULL },
};

static void print_help(FILE *to)
{
	fputs("usage: niddgwctl [-s SOCKET] [--json] VERB\n\n", to);
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (verbs[i].run)
			fprintf(to, "  %-12s %-6s %s\n", verbs[i].words, verbs[i].argument ? verbs[i].argument : "",
				verbs[i].help);
	fputs("\n"
	      "  -s, --socket SOCKET  the control socket (default " DEFAULT_SOCKET ")\n"
	      "  -j, --json           one JSON document instead of text\n"
	      "  -h, --help\n"
	      "  -V, --version\n"
	      "\n"
	      "Exit status: 0 done, 1 failed or refused, 2 misused.\n",
	      to);
}

/* The verb that the arguments begin with; *used tells how many of them it took. */
static const struct verb *find_verb(char **argv, int argc, int *used)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		size_t first = strcspn(verbs[i].words, " ");
		const char *second = verbs[i].words[first] ? verbs[i].words + first + 1 : NULL;

		if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], verbs[i].words, first) != 0)
			continue;
		if (second && (argc < 2 || strcmp(argv[1], second) != 0))
			continue;
		*used = second ? 2 : 1;
		return &verbs[i];
	}
	return NULL;
}

static int misused(const char *what, const char *arg)
{
	complain("%s%s%s", what, arg ? " " : "", arg ? arg : "");
	fputs("Try niddgwctl --help.\n", stderr);
	return MISUSED;
}

static int run_verb(const char *socket_path, bool json, int argc, char **argv)
{
	int used = 0, wanted, status;
	const struct verb *v = find_verb(argv, argc, &used);
	struct call call = { .json = json };

	if (!v)
		return argc ? misused("no such verb:", argv[0]) : misused("a verb is missing", NULL);
	if (!v->run) {
		complain("\"%s\" is not built in this version", v->words);
		return FAILED;
	}
	wanted = used + (v->argument != NULL);
	if (argc < wanted)
		return misused("missing argument:", v->argument);
	if (argc > wanted)
		return misused("argument too many:", argv[wanted]);
	call.verb = v->words;
	call.name = v->argument ? argv[used] : NULL;
	call.show = v->show;
	if (client_open(&call.client, socket_path))
		return FAILED;
	status = v->run(&call);
	client_close(call.client);
	if (fflush(stdout) || ferror(stdout)) {
		complain("the output could not be written");
		return FAILED;
	}
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	const char *socket_path = DEFAULT_SOCKET;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "s:jhV", options, NULL)) != -1) {
		switch (c) {
		case 's':
			socket_path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			print_help(stdout);
			return DONE;
		case 'V':
			puts("niddgwctl " NIDDGW_VERSION);
			return DONE;
		default:
			fputs("Try niddgwctl --help.\n", stderr);
			return MISUSED;
		}
	}
	return run_verb(socket_path, json, argc - optind, argv + optind);
}
