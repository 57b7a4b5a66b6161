/* SPDX-License-Identifier: Apache-2.0 */
/* api.c - what plug-ins may call: options, log, counters, alarms, watches, commands
 *
 * Everything a plug-in says is bounded here already, so that an honest one never reaches the limits at which the daemon
 * takes its process for broken.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/secret.h"
#include "base/text.h"
#include "host/parts.h"

/* ---- options ---- */

const char *niddgw_option(const struct niddgw_host *host, const char *name)
{
	const struct host_setting *s = host_setting(host, name);

	return s ? s->texts[0] : NULL;
}

int64_t niddgw_option_int(const struct niddgw_host *host, const char *name)
{
	const char *text = niddgw_option(host, name);

	return text ? strtoll(text, NULL, 10) : 0;
}

bool niddgw_option_bool(const struct niddgw_host *host, const char *name)
{
	const char *text = niddgw_option(host, name);

	return text && !strcmp(text, "true");
}

size_t niddgw_option_list(const struct niddgw_host *host, const char *name, const char *const **items)
{
	const struct host_setting *s = host_setting(host, name);

	*items = s ? (const char *const *)s->texts : NULL;
	return s ? s->n : 0;
}

long niddgw_secret(const struct niddgw_host *host, const char *name, char *buf, size_t size)
{
	const char *path = niddgw_option(host, name);

	return path ? secret_read(path, buf, size) : -ENOENT;
}

const char *niddgw_instance(const struct niddgw_host *host)
{
	return host->instance;
}

const char *niddgw_gateway_id(const struct niddgw_host *host)
{
	return host->gateway_id;
}

const char *niddgw_boot_id(const struct niddgw_host *host)
{
	return host->boot_id;
}

const char *niddgw_state_dir(const struct niddgw_host *host)
{
	return host->state_dir;
}

/* ---- what it says ---- */

/* At most so many octets of text, which need not end at a character: the log escapes what is cut. */
static const char *cut(char buf[HOST_TEXT_MOST], const char *text)
{
	const size_t n = text ? strnlen(text, HOST_TEXT_MOST - 1) : 0;

	if (text)
		memcpy(buf, text, n);
	buf[n] = '\0';
	return text ? buf : NULL;
}

/* Why it cannot be opened stands in its log: its state shows it too. */
static void note_complaint(struct niddgw_host *h, enum niddgw_level level, const char *text)
{
	if (h->opening && level <= NIDDGW_WARNING && text && strlen(text) < sizeof h->said &&
	    text_is_printable(text, strlen(text)))
		strcpy(h->said, text);
}

void niddgw_log(struct niddgw_host *host, enum niddgw_level level, const char *event, const char *text)
{
	char event_buf[HOST_TEXT_MOST], text_buf[HOST_TEXT_MOST];
	const struct frame_log l = { (uint32_t)level, cut(event_buf, event ? event : ""), cut(text_buf, text) };
	struct writer w = writer_of(host->out, sizeof host->out);

	note_complaint(host, level, l.text);
	frame_write_log(&w, &l);
	host_send(host, &w);
}

static struct host_counter *counter_of(struct niddgw_host *h, const char *name, bool gauge)
{
	struct host_counter *c;

	for (size_t i = 0; i < h->counters_n; i++)
		if (!strcmp(h->counters[i].name, name))
			return h->counters[i].gauge == gauge ? &h->counters[i] : NULL;
	if (h->counters_n == HOST_COUNTERS_MOST || strlen(name) >= HOST_COUNTER_SIZE)
		return NULL;
	c = &h->counters[h->counters_n++];
	strcpy(c->name, name);
	c->gauge = gauge;
	return c;
}

static void counted(struct niddgw_host *h, struct host_counter *c)
{
	c->changed = true;
	h->counted = true;
}

void niddgw_count(struct niddgw_host *host, const char *name, uint64_t add)
{
	struct host_counter *c = counter_of(host, name, false);

	if (!c)
		return;
	c->value += add;
	counted(host, c);
}

void niddgw_gauge(struct niddgw_host *host, const char *name, int64_t value)
{
	struct host_counter *c = counter_of(host, name, true);

	if (!c)
		return;
	c->value = (uint64_t)value;
	counted(host, c);
}

void niddgw_alarm(struct niddgw_host *host, const char *type, const char *text)
{
	char type_buf[HOST_TEXT_MOST], text_buf[HOST_TEXT_MOST];
	const struct frame_raise a = { cut(type_buf, type), cut(text_buf, text) };
	struct writer w = writer_of(host->out, sizeof host->out);

	frame_write_raise(&w, &a);
	host_send(host, &w);
}

int niddgw_watch(struct niddgw_host *host, int fd, unsigned events)
{
	if (fd < 0)
		return -EBADF;
	return host->env.watch(host->env.arg, fd, events);
}

void niddgw_timer(struct niddgw_host *host, int64_t in_ms)
{
	host->env.timer(host->env.arg, in_ms);
}

void niddgw_replay(struct niddgw_host *host)
{
	struct writer w = writer_of(host->out, sizeof host->out);

	frame_write_empty(&w, FRAME_REPLAY);
	host_send(host, &w);
}

int niddgw_command(struct niddgw_host *host, const struct niddgw_command *c)
{
	struct writer w = writer_of(host->out, sizeof host->out);
	struct niddgw_command whole = { 0 };

	if (c->size < offsetof(struct niddgw_command, timeout_ms))
		return -EINVAL;
	memcpy(&whole, c, c->size < sizeof whole ? c->size : sizeof whole);
	if (!whole.name)
		return -EINVAL;
	if (host->commands >= HOST_COMMANDS_MOST)
		return -EAGAIN;
	if (whole.args && strlen(whole.args) > HOST_ARGS_MOST)
		return -EMSGSIZE;
	if (!frame_write_command(&w, &whole))
		return -EMSGSIZE;
	host->commands++;
	host_send(host, &w);
	return 0;
}
