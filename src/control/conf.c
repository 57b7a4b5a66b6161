/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c - keys of the groups gateway, admin and log
 *
 * What can be known without opening anything is checked here, so that `niddgwd -t` finds it; what only a bind or a
 * mkdir can tell is left to control_open() and dir_make().
 */
#include "control/conf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/text.h"

static const char *const format_words[] = { "text", "json", NULL };

/* clang-format off: one entry is one key */
const struct conf_item gateway_items[] = {
	CONF_TEXT(struct gateway_conf, id, NULL, .reload = CONF_RESTART,
		  .help = "Name of this gateway in topics, logs and diagnostics; absent: the machine's host name."),
	CONF_TEXT(struct gateway_conf, state_dir, "/var/lib/niddgw", .reload = CONF_RESTART,
		  .help = "What must survive a restart; made when absent, mode 0750."),
	CONF_TEXT(struct gateway_conf, run_dir, "/run/niddgw", .reload = CONF_RESTART,
		  .help = "Where the control socket `ctl` stands; made when absent, mode 0750."),
	CONF_END
};

const struct conf_item admin_items[] = { CONF_TEXT(struct admin_conf, listen, "127.0.0.1:9660",
						   .help = "Where /metrics, /healthz, /readyz and /api/v1 are: "
							   "HOST:PORT on loopback, \"unix:PATH\" or \"off\"."),
					 CONF_END };

const struct conf_item log_items[] = { CONF_WORD(struct log_conf, level, "info", log_level_names,
						 .help = "The least important lines that are still written to stderr."),
				       CONF_WORD(struct log_conf, format, "text", format_words,
						 .help = "key=value text, or one JSON object per line."),
				       CONF_END };
/* clang-format on */

const char *gateway_id(const struct gateway_conf *g, char *buf, size_t size)
{
	if (g->id)
		snprintf(buf, size, "%s", g->id);
	else if (gethostname(buf, size))
		snprintf(buf, size, "niddgw");
	buf[size - 1] = '\0'; /* gethostname() need not end what it had to cut */
	return buf;
}

static bool id_is_sound(const char *id)
{
	size_t len = strlen(id);

	return len > 0 && len < GATEWAY_ID_MAX && text_is_printable(id, len) && !strchr(id, '/');
}

static void check_directory(struct conf_load *load, const struct gateway_conf *g, const char *key, const char *path)
{
	struct stat st;

	if (stat(path, &st)) {
		if (errno != ENOENT && errno != EACCES)
			conf_fault(load, g, key, -1, "%s: %s", path, strerror(errno));
		return; /* made at the start; one that only root may look at is checked there */
	}
	if (!S_ISDIR(st.st_mode))
		conf_fault(load, g, key, -1, "%s is not a directory", path);
	else if (st.st_mode & S_IWOTH)
		conf_fault(load, g, key, -1, "%s can be written by others", path);
}

static void check_gateway(struct conf_load *load, struct gateway_conf *g)
{
	const char *state = conf_path(load, g->state_dir), *run = conf_path(load, g->run_dir);

	if (g->id && !id_is_sound(g->id))
		conf_fault(load, g, "id", -1, "must be 1 to %d octets of printable UTF-8 without \"/\"",
			   GATEWAY_ID_MAX - 1);
	if (!state || !run)
		return; /* out of memory, which the loader has noticed itself */
	g->state_dir = state;
	g->run_dir = run;
	check_directory(load, g, "state_dir", state);
	check_directory(load, g, "run_dir", run);
	if (strlen(run) + sizeof "/ctl" > sizeof((struct sockaddr_un *)0)->sun_path)
		conf_fault(load, g, "run_dir", -1, "too long for the address of a unix socket");
}

static void check_admin_unix(struct conf_load *load, struct admin_conf *a, const char *path)
{
	if (!*path) {
		conf_fault(load, a, "listen", -1, "no path behind \"unix:\"");
		return;
	}
	a->unix_path = conf_path(load, path);
	if (a->unix_path && strlen(a->unix_path) >= sizeof((struct sockaddr_un *)0)->sun_path)
		conf_fault(load, a, "listen", -1, "too long for the address of a unix socket");
}

static void check_admin(struct conf_load *load, struct admin_conf *a)
{
	struct addr addr;

	a->unix_path = NULL;
	if (!strcmp(a->listen, "off"))
		return;
	if (!strncmp(a->listen, "unix:", 5))
		check_admin_unix(load, a, a->listen + 5);
	else if (addr_parse(&addr, a->listen, true))
		conf_fault(load, a, "listen", -1,
			   "\"%s\" is neither HOST:PORT with a numeric HOST, \"unix:PATH\" nor \"off\"", a->listen);
	else if (!addr_is_loopback(&addr))
		conf_fault(load, a, "listen", -1,
			   "%s can be reached by other hosts, and nothing authenticates them: use a loopback address",
			   a->listen);
}

void control_check(struct conf_load *load, struct gateway_conf *gateway, struct admin_conf *admin)
{
	check_gateway(load, gateway);
	check_admin(load, admin);
}
