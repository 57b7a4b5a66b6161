/* SPDX-License-Identifier: Apache-2.0 */
/* jsonl.c - each report as a line of JSON: the event/data object of the monitoring reference */
#include "niddgw/plugin.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "sink.h"

enum { LINE_FIRST = 4096, LINE_MOST = 1 << 20 };

struct jsonl {
	struct niddgw_host *host;
	struct sink *sink; /* owned */
	char *line;        /* owned */
	size_t line_size;
	int watched; /* descriptor; -1: none */
	bool failed; /* the alarm is raised */
};

static const struct niddgw_option options[] = {
	{ "file", NIDDGW_OPTION_PATH, false, NULL, NULL, 0, 0, "where lines are appended; absent: standard output" },
	{ "rotate_bytes", NIDDGW_OPTION_INT, false, "0", NULL, 0, INT64_C(1) << 40,
	  "a file that would grow above it becomes FILE.1, the one before FILE.2; 0: never" },
	{ "keep", NIDDGW_OPTION_INT, false, "5", NULL, 0, 100, "how many rotated files stay" },
	{ NULL, 0, false, NULL, NULL, 0, 0, NULL },
};

static void jsonl_close(void *state)
{
	struct jsonl *j = state;

	sink_close(j->sink);
	free(j->line);
	free(j);
}

static int jsonl_open(struct niddgw_host *host, void **state)
{
	struct jsonl *j = calloc(1, sizeof *j);
	int err;

	if (!j)
		return -ENOMEM;
	j->host = host;
	j->watched = -1;
	j->line = malloc(LINE_FIRST);
	j->line_size = LINE_FIRST;
	err = j->line
		? sink_open(&j->sink, niddgw_option(host, "file"), (uint64_t)niddgw_option_int(host, "rotate_bytes"),
			    (unsigned)niddgw_option_int(host, "keep"))
		: -ENOMEM;
	if (err) {
		jsonl_close(j);
		return err;
	}
	*state = j;
	return 0;
}

/* The report as a line with its end, in j->line; its length or a negative errno. */
static long render(struct jsonl *j, const struct niddgw_record *r)
{
	long n = niddgw_record_json(r, 0, j->line, j->line_size - 1);

	if (n >= (long)j->line_size - 1 && n < LINE_MOST) {
		char *grown = realloc(j->line, (size_t)n + 2);

		if (!grown)
			return -ENOMEM;
		j->line = grown;
		j->line_size = (size_t)n + 2;
		n = niddgw_record_json(r, 0, j->line, j->line_size - 1);
	}
	if (n < 0 || n >= (long)j->line_size - 1)
		return n < 0 ? n : -EMSGSIZE;
	j->line[n] = '\n';
	return n + 1;
}

/* One line in the log and one alarm, however many reports are lost until it works again. */
static void note(struct jsonl *j, int err)
{
	if (!err && j->failed)
		niddgw_alarm(j->host, "jsonl.failed", NULL);
	if (err && !j->failed)
		niddgw_alarm(j->host, "jsonl.failed", err == -EAGAIN ? "nobody reads standard output" : strerror(-err));
	j->failed = err;
}

/* A line may be out in part: the rest follows when the reader has caught up. */
static void watch(struct jsonl *j)
{
	const int fd = sink_pending(j->sink);

	if (fd == j->watched)
		return;
	(void)niddgw_watch(j->host, fd < 0 ? j->watched : fd, fd < 0 ? 0 : POLLOUT);
	j->watched = fd;
}

static int jsonl_record(void *state, const struct niddgw_record *r)
{
	struct jsonl *j = state;
	long n;
	int err;

	if (niddgw_record_kind(r) != NIDDGW_RECORD_DATA)
		return 0;
	n = render(j, r);
	err = n < 0 ? (int)n : sink_write(j->sink, j->line, (size_t)n);
	note(j, err);
	watch(j);
	if (err)
		return -EAGAIN;
	niddgw_count(j->host, "jsonl_lines_total", 1);
	return 0;
}

static void jsonl_poll(void *state, int fd, unsigned events)
{
	struct jsonl *j = state;

	(void)fd;
	(void)events;
	sink_flush(j->sink);
	watch(j);
}

NIDDGW_EXPORT const struct niddgw_plugin niddgw_plugin = {
	.abi = NIDDGW_PLUGIN_ABI,
	.size = sizeof(struct niddgw_plugin),
	.name = "jsonl",
	.version = NIDDGW_VERSION,
	.options = options,
	.open = jsonl_open,
	.close = jsonl_close,
	.record = jsonl_record,
	.poll = jsonl_poll,
};
