/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c - the keys of `north` and `servers`, and what a server URI may look like
 *
 * Keys of the contract that are not built are listed as such, so that naming one is a fault that says so and never a
 * setting without effect.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "north/parts.h"

static const char *const role_words[] = { "management", "bootstrap", NULL };
static const char *const security_words[] = { "none", "psk", "x509", "rpk", NULL };
static const char *const queue_flag_words[] = { "keep", "add", "remove", NULL };
static const char *const sms_words[] = { "keep", "remove", NULL };

const struct conf_item north_items[] = {
	CONF_TEXT(struct north_conf, bind, NULL, .reload = CONF_RESTART,
		  .help = "Local address of all associations; absent: the kernel's choice"),
	CONF_TEXT(struct north_conf, interface, NULL, .reload = CONF_RESTART,
		  .help = "Network interface that associations are bound to"),
	CONF_TEXT(struct north_conf, ports, "20000-32767", .reload = CONF_RESTART,
		  .help = "Local ports of associations, one per device and server; best outside the ephemeral range"),
	CONF_END
};

const struct conf_item server_items[] = {
	CONF_TEXT(struct server_conf, uri, NULL, .required = true, .reload = CONF_DEVICE,
		  .help = "coap://HOST[:PORT], or coaps, coap+tcp, coaps+tcp; a name is looked up and tried again "
			  "until it is "
			  "known"),
	CONF_TEXTS(struct server_conf, aliases, .help = "Other host names by which devices may ask for this server"),
	CONF_WORD(struct server_conf, role, "management", role_words,
		  .help = "What the server is to devices; a Bootstrap-Request goes to one of role bootstrap"),
	CONF_WORD(struct server_conf, security, NULL, security_words,
		  .help = "How associations are secured; absent: none for coap://, psk for coaps://"),
	CONF_FILE(struct server_conf, ca_file, .help = "Authorities of the server's certificate, PEM (x509)"),
	CONF_FILE(struct server_conf, ca_dir,
		  .help = "The same as a directory of files by hashed names, see openssl-rehash(1) (x509)"),
	CONF_FILE(struct server_conf, crl_file,
		  .help = "Revoked certificates, PEM; read at each reload, and one that is out of date refuses the "
			  "server (x509)"),
	CONF_FILE(struct server_conf, cert_file,
		  .help = "Client certificate chain of devices that have none of their own, PEM (x509)"),
	CONF_KEYFILE(struct server_conf, key_file, .help = "Its private key, PEM, without a passphrase (x509, rpk)"),
	CONF_TEXT(struct server_conf, server_name, NULL,
		  .help = "The name in the server's certificate, and a name devices may ask for this server by, when "
			  "it is another than the host of uri"),
	CONF_TEXT(struct server_conf, pin_sha256, NULL,
		  .help = "SHA-256 of the server's SubjectPublicKeyInfo, hexadecimal or base64; several with blanks in "
			  "between. Without ca_file and ca_dir it stands for them and for the name (x509, rpk)"),
	CONF_UINT(struct server_conf, handshake_timeout_s, 30, 1, 300, .unit = "s",
		  .help = "How long a handshake may take; then it is tried again with back-off"),
	CONF_UINT(struct server_conf, handshakes_per_s, 500, 1, 100000,
		  .help = "How many handshakes begin in a second at most"),
	CONF_BOOL(struct server_conf, insert_ep, true, .help = "Put the device's ep into a Register that has none"),
	CONF_TEXT(struct server_conf, binding, "keep",
		  .help = "keep, or the letters that stand in b of a Register (\"U\"); Q has a key of its own"),
	CONF_WORD(struct server_conf, queue_flag, "keep", queue_flag_words, .help = "What happens to Q in a Register"),
	CONF_WORD(struct server_conf, sms, "keep", sms_words,
		  .help = "What happens to the sms parameter of a Register"),
	CONF_BOOL(struct server_conf, strip_uri_host, false, .help = "Take Uri-Host and Uri-Port out of requests"),
	CONF_TEXT(struct server_conf, path_prefix, NULL,
		  .help = "Requests whose Uri-Path begins with these segments (\"a\" or \"a/b\") are for this server. "
			  "They are "
			  "taken off on the way to it and put before the Location-Path of its answer"),
	CONF_UINT(struct server_conf, rds_port, RDS_PORT_ABSENT, 0, RDS_PORT_ABSENT - 1,
		  .help = "Units of a t8 link that came on this port of the SCEF are for this server; absent: none"),
	CONF_UINT(struct server_conf, patience_s, 110, 1, 604800, .unit = "s",
		  .help = "How long the server waits for an answer to its request"),
	CONF_UINT(struct server_conf, answer_within_s, 240, 1, 86400, .unit = "s",
		  .help = "How long a device's request may wait for the server's answer before it gets 5.04"),
	CONF_UINT(struct server_conf, hold_s, 86400, 0, 31536000, .unit = "s",
		  .help = "How long what needs no answer is kept for a server that is away"),
	CONF_UINT(struct server_conf, hold_max, 1000, 1, 100000,
		  .help = "How much of that is kept per device; the oldest goes first"),
	CONF_UINT(struct server_conf, block_size, 1024, 16, 1024, .unit = "octets",
		  .help = "Largest block towards the server, a power of two"),
	CONF_UINT(struct server_conf, nstart, 1, 1, 64, .help = "Confirmable messages in flight at once, per device"),
	CONF_UINT(struct server_conf, keepalive_s, 0, 0, 86400, .unit = "s",
		  .help = "After so long without a message an association sends a ping, which keeps its way through a "
			  "NAT open; 0: never"),
	CONF_UINT(struct server_conf, dead_after, 3, 1, 100,
		  .help = "How many messages of a device go unanswered through all retransmissions before its DTLS "
			  "association is given up and made anew"),
	CONF_END
};

static void drop_fault(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

int north_proxy_conf(struct server_conf **out, const char *target)
{
	const struct conf_pair pairs[] = { { "name", "proxy", true }, { "uri", target, true } };
	struct server_uri uri;
	void *conf;
	int err = server_uri_parse(&uri, target) ? -EINVAL : 0;

	if (!err)
		err = conf_record_new(&conf, server_items, sizeof(struct server_conf), NULL, pairs, 2, drop_fault,
				      NULL);
	if (err)
		return err;
	*out = conf;
	(*out)->head.name = (*out)->uri; /* no configured server has a name with "/" in it */
	(*out)->role = SERVER_PROXY;
	return 0;
}

/* ---- the URI ---- */

struct scheme {
	const char *name;
	uint16_t port;
	bool built;
};
static const struct scheme schemes[] = { { "coap", 5683, true },
					 { "coaps", 5684, true },
					 { "coap+tcp", 5683, true },
					 { "coaps+tcp", 5684, true },
					 { "coap+nidd", 0, false } };

static const struct scheme *scheme_find(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (strlen(schemes[i].name) == len && !strncasecmp(schemes[i].name, text, len))
			return &schemes[i];
	return NULL;
}

static bool is_v4(const char *host)
{
	struct in_addr a;

	return inet_pton(AF_INET, host, &a) == 1;
}

static bool is_v6(const char *host)
{
	struct in6_addr a;

	return inet_pton(AF_INET6, host, &a) == 1;
}

/* A name of DNS labels, or what looks like an IPv4 address: both are made of the same characters. */
static bool is_host_name(const char *host)
{
	if (!*host || *host == '-' || *host == '.')
		return false;
	for (const char *p = host; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_' && !(*p == '.' && p[1] != '.'))
			return false;
	/* digits and dots alone are meant as an address, so they have to be one */
	return strspn(host, "0123456789.") != strlen(host) || is_v4(host);
}

/* HOST[:PORT] or [V6][:PORT] */
static int parse_authority(struct server_uri *out, const char *text)
{
	uint16_t port = 0;

	if (addr_split(text, out->host, &port, false))
		return -EBADMSG;
	if (*text == '[' ? !is_v6(out->host) : !is_host_name(out->host))
		return -EBADMSG;
	if (port)
		out->port = port;
	else if (text[strlen(text) - 1] != ']' && strlen(text) != strlen(out->host))
		return -EBADMSG; /* a port that is 0 or empty */
	return 0;
}

int server_uri_parse(struct server_uri *out, const char *uri)
{
	const char *sep = strstr(uri, "://");
	const struct scheme *s = sep ? scheme_find(uri, (size_t)(sep - uri)) : NULL;
	struct server_uri u = { 0 };
	char authority[sizeof u.host + 8];
	size_t len;
	int err;

	if (!s)
		return -EBADMSG;
	if (!s->built)
		return -ENOTSUP;
	len = strcspn(sep + 3, "/?#");
	if (len == 0 || len >= sizeof authority)
		return -EBADMSG;
	if (strcmp(sep + 3 + len, "") != 0 && strcmp(sep + 3 + len, "/") != 0)
		return -EBADMSG; /* a server is a host and a port; a path has a key of its own */
	memcpy(authority, sep + 3, len);
	authority[len] = '\0';
	u.scheme = s->name;
	u.port = s->port;
	err = parse_authority(&u, authority);
	if (!err)
		*out = u;
	return err;
}

/* ---- faults across keys ---- */

int north_bind_parse(struct addr *out, const char *text)
{
	return addr_parse(out, text, false) || addr_port(out) ? -EBADMSG : 0;
}

static bool is_interface(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= IFNAMSIZ)
		return false;
	for (size_t i = 0; i < len; i++)
		if (isspace((unsigned char)name[i]) || name[i] == '/')
			return false;
	return true;
}

static bool is_binding(const char *text)
{
	/* OMA-TS-LightweightM2M_Core 5.2.1.1: the letters of transports; Q is no transport and has its own key */
	if (!strcmp(text, "keep"))
		return true;
	if (!*text || strspn(text, "UMHTSN") != strlen(text))
		return false;
	for (const char *p = text; *p; p++)
		if (strchr(p + 1, *p))
			return false;
	return true;
}

static void check_uri(struct conf_load *load, const struct server_conf *s, const struct addr *local)
{
	struct server_uri u;

	switch (server_uri_parse(&u, s->uri)) {
	case 0:
		break;
	case -ENOTSUP:
		conf_fault(load, s, "uri", -1, "the scheme of \"%s\" is not built in this version", s->uri);
		return;
	default:
		conf_fault(load, s, "uri", -1,
			   "\"%s\" is not of the form coap://HOST[:PORT], with coaps, coap+tcp or coaps+tcp as well",
			   s->uri);
		return;
	}
	if (local->len &&
	    ((is_v4(u.host) && local->u.sa.sa_family != AF_INET) ||
	     (is_v6(u.host) && local->u.sa.sa_family != AF_INET6)))
		conf_fault(load, s, "uri", -1, "\"%s\" cannot be reached from the address in north.bind", s->uri);
}

/* Segments between slashes, one slash in front is fine; each as long as an option can be. */
static bool is_path_prefix(const char *text)
{
	unsigned segments = 0;

	for (text += *text == '/';; text++) {
		size_t len = strcspn(text, "/");

		if (!len || len > 255 || ++segments > PATH_PREFIX_SEGMENTS)
			return false;
		text += len;
		if (!*text)
			return true;
	}
}

static void check_server(struct conf_load *load, const struct server_conf *s, const struct addr *local)
{
	if (s->uri)
		check_uri(load, s, local);
	secure_check(load, s);
	if (s->block_size & (s->block_size - 1))
		conf_fault(load, s, "block_size", -1, "%llu is not a power of two", (unsigned long long)s->block_size);
	if (s->binding && !is_binding(s->binding))
		conf_fault(load, s, "binding", -1, "\"%s\" is neither keep nor different letters of UMHTSN",
			   s->binding);
	if (s->path_prefix && !is_path_prefix(s->path_prefix))
		conf_fault(load, s, "path_prefix", -1,
			   "\"%s\" is not of the form \"a\" or \"a/b\": 1 to %d segments of 1 to 255 octets",
			   s->path_prefix, PATH_PREFIX_SEGMENTS);
	for (size_t i = 0; i < s->aliases.n; i++)
		if (!*s->aliases.v[i])
			conf_fault(load, s, "aliases", (int)i, "is empty");
}

void north_check(struct conf_load *load, const struct north_conf *north, const struct conf_list *servers)
{
	struct addr local = { 0 };
	uint16_t first, last;

	if (north->bind && north_bind_parse(&local, north->bind)) {
		conf_fault(load, north, "bind", -1, "\"%s\" is not a numeric address", north->bind);
		local.len = 0;
	}
	if (north->interface && !is_interface(north->interface))
		conf_fault(load, north, "interface", -1, "\"%s\" is not an interface name", north->interface);
	if (ports_range_parse(&first, &last, north->ports))
		conf_fault(load, north, "ports", -1, "\"%s\" is not of the form FIRST-LAST with ports from 1 to 65535",
			   north->ports);
	for (size_t i = 0; i < servers->n; i++) {
		const struct server_conf *s = servers->v[i];

		if (strcmp(s->head.name, "gateway") == 0)
			conf_fault(load, s, "name", -1, "\"gateway\" is what the gateway itself is called as a server");
		check_server(load, s, &local);
	}
}
