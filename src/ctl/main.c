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
#include "ctl/ask.h"
#include "ctl/client.h"
#include "ctl/devices.h"
#include "ctl/show.h"

#define DEFAULT_SOCKET "/run/niddgw/ctl"

enum { DONE, FAILED, MISUSED };
enum { PAGE = 500 };

struct call {
	struct client *client;
	bool json;
	const char *verb; /* as the daemon knows it */
	const char *name; /* NULL: none is taken */
	void (*show)(const json_t *data);
	const struct show_list *list;
	const struct device_call *device; /* for those that take more */
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

/* ---- lists: page by page, so that a million items need no memory here or there ---- */

struct listing {
	struct table table;
	bool begun;
	size_t printed;
};

static void begin_document(const json_t *page)
{
	const json_t *ts = json_object_get(page, "ts");

	fputs("{\"v\":1,", stdout);
	if (ts) {
		fputs("\"ts\":", stdout);
		print_json(ts, JSON_COMPACT);
		putchar(',');
	}
	fputs("\"items\":[", stdout);
}

static void list_page(struct listing *l, const struct call *call, const json_t *page)
{
	size_t i;
	json_t *item;

	if (call->json && !l->begun)
		begin_document(page);
	l->begun = true;
	json_array_foreach(json_object_get(page, "items"), i, item)
	{
		if (!call->json) {
			call->list->add(&l->table, item);
			continue;
		}
		fputs(l->printed++ ? ",\n" : "\n", stdout);
		print_json(item, JSON_COMPACT);
	}
	if (!call->json)
		table_print(&l->table);
}

static json_t *page_request(const struct call *call, const char *cursor)
{
	json_t *request = json_pack("{s:s, s:i, s:s*}", "verb", call->verb, "limit", PAGE, "cursor", cursor);

	if (!call->name || !json_object_set_new(request, "name", json_string(call->name)))
		return request;
	complain("\"%s\" is not UTF-8", call->name);
	json_decref(request);
	return NULL;
}

static int run_list(const struct call *call)
{
	struct listing l = { 0 };
	char *cursor = NULL;
	int status = DONE;

	table_init(&l.table, call->list->heads, call->list->columns);
	do {
		json_t *request = page_request(call, cursor);
		json_t *page = request ? client_ask(call->client, request) : NULL;
		const char *next = json_string_value(json_object_get(page, "next"));

		free(cursor);
		cursor = next ? strdup(next) : NULL;
		if (page)
			list_page(&l, call, page);
		if (!page || (next && !cursor))
			status = FAILED;
		json_decref(page);
	} while (cursor);
	if (call->json && l.begun)
		puts("\n],\"next\":null}");
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

/* ---- device records ---- */

static int run_device_add(const struct call *call)
{
	return devices_add(call->device) ? DONE : FAILED;
}

static int run_device_remove(const struct call *call)
{
	return devices_remove(call->device) ? DONE : FAILED;
}

static int run_device_import(const struct call *call)
{
	return devices_import(call->device) ? DONE : FAILED;
}

static int run_device_export(const struct call *call)
{
	return devices_export(call->device) ? DONE : FAILED;
}

static int run_ask_device(const struct call *call)
{
	return ask_device(call->device) ? DONE : FAILED;
}

static int run_ask_gateway(const struct call *call)
{
	return ask_gateway(call->device) ? DONE : FAILED;
}

/* ---- what can be asked ---- */

enum { DRY_RUN = 1, JSONL = 2, ALL = 4 }; /* options that only some verbs take */

static const struct verb {
	const char *words;                   /* one or two */
	const char *argument;                /* one that ends in .. may come again; one in brackets may be left out */
	int (*run)(const struct call *call); /* NULL: known, and not built in this version */
	const char *help;
	unsigned options;
	const struct show_list *list;     /* of run_list */
	void (*show)(const json_t *data); /* of run_show */
} verbs[] = {
	{ "status", NULL, run_show, "the gateway at a glance", 0, NULL, show_status },
	{ "device list", NULL, run_list, "every device, one line each", 0, &show_devices, NULL },
	{ "device show", "NAME", run_show, "all that is known of one device", 0, NULL, show_object },
	{ "device add", "KEY=VALUE ..", run_device_add, "one device record into the store, or another one for its name",
	  0, NULL, NULL },
	{ "device remove", "NAME", run_device_remove, "a stored record and its device", 0, NULL, NULL },
	{ "device import", "FILE", run_device_import, "records of a CSV or .jsonl file into the store, all or none",
	  DRY_RUN | JSONL, NULL, NULL },
	{ "device export", NULL, run_device_export, "the stored records, as import takes them", JSONL | ALL, NULL,
	  NULL },
	{ "device ask", "NAME COMMAND ..", run_ask_device,
	  "a command to a device: read path=/3/0, write path=/1/0/1 value=60, ping ..", 0, NULL, NULL },
	{ "command", "COMMAND ..", run_ask_gateway, "a command to the gateway: log-level level=debug for_s=60 ..", 0,
	  NULL, NULL },
	{ "links", NULL, run_list, "the links to devices", 0, &show_links, NULL },
	{ "servers", NULL, run_list, "the LwM2M servers", 0, &show_servers, NULL },
	{ "queue", "[NAME]", run_list, "what waits for a device or a server", 0, &show_queue, NULL },
	{ "alarms", NULL, run_list, "what is wrong now", 0, &show_alarms, NULL },
	{ "events", NULL, run_list, "what has happened, the latest first", 0, &show_events, NULL },
	{ "plugins", NULL, run_list, "what reports are mirrored to", 0, &show_plugins, NULL },
	{ "reload", NULL, run_reload, "read the configuration again; a faulty one changes nothing", 0, NULL, NULL },
	{ "modem", NULL, NULL, NULL, 0, NULL, NULL },
	{ "check", NULL, NULL, NULL, 0, NULL, NULL },
};

static void print_help(FILE *to)
{
	fputs("usage: niddgwctl [-s SOCKET] [--json] VERB\n\n", to);
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (verbs[i].run)
			fprintf(to, "  %-13s %-12s %s\n", verbs[i].words, verbs[i].argument ? verbs[i].argument : "",
				verbs[i].help);
	fputs("\n"
	      "  -s, --socket SOCKET  the control socket (default " DEFAULT_SOCKET ")\n"
	      "  -j, --json           one JSON document instead of text\n"
	      "      --dry-run        import: check everything and change nothing\n"
	      "      --jsonl          import, export: JSON lines whatever the file is called\n"
	      "      --all            export: the records of the files too\n"
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

/* "A" stands for one argument, "A .." for one or more, "[A]" for one that may be left out. */
static int count_faults(const struct verb *v, int n, const char *const *args)
{
	const size_t len = v->argument ? strlen(v->argument) : 0;
	const bool more = len > 3 && !strcmp(v->argument + len - 3, " ..");

	if (v->argument && !n && *v->argument != '[')
		return misused("missing argument:", v->argument);
	if (n > (v->argument ? 1 : 0) && !more)
		return misused("argument too many:", args[v->argument ? 1 : 0]);
	return DONE;
}

static int option_faults(const struct verb *v, unsigned options)
{
	if (options & ~v->options & DRY_RUN)
		return misused("--dry-run is for device import, not for", v->words);
	if (options & ~v->options & JSONL)
		return misused("--jsonl is for device import and export, not for", v->words);
	if (options & ~v->options & ALL)
		return misused("--all is for device export, not for", v->words);
	return DONE;
}

static int run_verb(const char *socket_path, bool json, unsigned options, int argc, char **argv)
{
	int used = 0, status;
	const struct verb *v = find_verb(argv, argc, &used);
	const char *const *args = (const char *const *)(argv + used);
	struct device_call device = { .args = args, .json = json, .print = print_document };
	struct call call = { .json = json, .device = &device };

	if (!v)
		return argc ? misused("no such verb:", argv[0]) : misused("a verb is missing", NULL);
	if (!v->run) {
		complain("\"%s\" is not built in this version", v->words);
		return FAILED;
	}
	status = count_faults(v, argc - used, args);
	if (!status)
		status = option_faults(v, options);
	if (status)
		return status;
	call.verb = v->words;
	call.name = v->argument && argc > used ? args[0] : NULL;
	call.show = v->show;
	call.list = v->list;
	if (client_open(&call.client, socket_path))
		return FAILED;
	device.client = call.client;
	device.args_n = argc - used;
	device.dry_run = options & DRY_RUN;
	device.jsonl = options & JSONL;
	device.all = options & ALL;
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
	static const struct option longs[] = {
		{ "socket", required_argument, NULL, 's' }, { "json", no_argument, NULL, 'j' },
		{ "dry-run", no_argument, NULL, 'd' },      { "jsonl", no_argument, NULL, 'l' },
		{ "all", no_argument, NULL, 'a' },          { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },      { 0 },
	};
	const char *socket_path = DEFAULT_SOCKET;
	unsigned options = 0;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "s:jhV", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			socket_path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'd':
			options |= DRY_RUN;
			break;
		case 'l':
			options |= JSONL;
			break;
		case 'a':
			options |= ALL;
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
	return run_verb(socket_path, json, options, argc - optind, argv + optind);
}
