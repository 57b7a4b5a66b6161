/* SPDX-License-Identifier: Apache-2.0 */
/* sample.c - a whole plug-in to begin with: appends a line for each report to a file
 *
 *     cc -shared -fPIC $(pkg-config --cflags niddgw-plugin) -o sample.so sample.c
 *     cp sample.so $(pkg-config --variable=plugindir niddgw-plugin)/
 *
 *     plugins = ( { name = "sample"; file = "/var/lib/niddgw/sample.log"; device = "meter-17"; } );
 *
 * It is C11 and C++17 at once, which is why casts and member order look as they do.
 */
#include <niddgw/plugin.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sample { /* what open() made, handed to every other call */
	struct niddgw_host *host;
	const char *device; /* the only one to be shown; NULL: all */
	FILE *file;
};

static const struct niddgw_option options[] = {
	{ "file", NIDDGW_OPTION_PATH, true, NULL, NULL, 0, 0, "where lines are appended" },
	{ "device", NIDDGW_OPTION_TEXT, false, NULL, NULL, 0, 0, "the only device to be shown; absent: all" },
	{ NULL, 0, false, NULL, NULL, 0, 0, NULL },
};

static int sample_open(struct niddgw_host *host, void **state)
{
	struct sample *s = (struct sample *)calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->host = host;
	s->device = niddgw_option(host, "device");
	s->file = fopen(niddgw_option(host, "file"), "a");
	if (!s->file) {
		int err = -errno;

		niddgw_log(host, NIDDGW_ERROR, "sample.file", strerror(errno));
		free(s);
		return err;
	}
	*state = s;
	return 0;
}

static void sample_close(void *state)
{
	struct sample *s = (struct sample *)state;

	fclose(s->file);
	free(s);
}

/* Called for each report. What is not kept is lost: the gateway does not wait for a plug-in. */
static int sample_record(void *state, const struct niddgw_record *r)
{
	struct sample *s = (struct sample *)state;
	char value[256];

	if (niddgw_record_kind(r) != NIDDGW_RECORD_DATA)
		return 0; /* encrypted, or not to be decoded */
	if (s->device && strcmp(s->device, niddgw_record_device(r)) != 0)
		return 0;
	for (size_t i = 0; i < niddgw_record_values(r); i++) {
		const struct niddgw_value *v = niddgw_record_value(r, i);

		if (niddgw_value_json(v, NIDDGW_JSON_OMIT_OPAQUE, value, sizeof value) < (long)sizeof value)
			fprintf(s->file, "%s %s %s %s\n", niddgw_record_device(r),
				v->resource ? v->resource : niddgw_record_path(r), value, v->unit ? v->unit : "");
	}
	niddgw_count(s->host, "reports_total", 1);
	return fflush(s->file) ? -EAGAIN : 0;
}

const struct niddgw_plugin niddgw_plugin = {
	NIDDGW_PLUGIN_ABI, sizeof(struct niddgw_plugin), "sample", "1.0", 0, options, sample_open, sample_close, sample_record,
	NULL /* session */, NULL /* down */, NULL /* alarm */, NULL /* stats */, NULL /* gateway */, NULL /* answer */,
	NULL /* poll */, NULL /* timer */
};
