/* SPDX-License-Identifier: Apache-2.0 */
/* origin.c - where requests may go: scheme, host and port of the peer, and nothing else
 *
 * Links come from the peer's answers, so they are input: credentials never go to, and no connection is ever made with,
 * an end that the configuration does not name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/client_internal.h"

/* Printable ASCII without space, of sane length. */
static bool is_plain(const char *url)
{
	size_t n = 0;

	for (; url[n]; n++)
		if (n >= URL_MOST || url[n] <= ' ' || url[n] > '~')
			return false;
	return n > 0;
}

/* Scheme, host and port of a sound http or https URL without credentials in it. */
static int split(const char *url, char **scheme, char **host, char **port)
{
	CURLU *u = is_plain(url) ? curl_url() : NULL;
	int err = -EINVAL;

	*scheme = *host = *port = NULL;
	if (u && !curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) &&
	    !curl_url_get(u, CURLUPART_SCHEME, scheme, 0) && !curl_url_get(u, CURLUPART_HOST, host, 0) &&
	    !curl_url_get(u, CURLUPART_PORT, port, CURLU_DEFAULT_PORT) &&
	    (!strcmp(*scheme, "http") || !strcmp(*scheme, "https")))
		err = 0;
	curl_url_cleanup(u);
	return err;
}

static void release(char *scheme, char *host, char *port)
{
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
}

void origins_free(struct origin *o, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(o[i].text);
		release(o[i].scheme, o[i].host, o[i].port);
	}
	free(o);
}

/* The text up to the end of the authority: what most request URLs begin with, letter for letter. */
static char *authority_text(const char *url)
{
	const char *at = strstr(url, "://");

	return at ? strndup(url, (size_t)(at - url) + 3 + strcspn(at + 3, "/?#")) : NULL;
}

static int add(struct origin **list, size_t *n, const char *url)
{
	struct origin o = { 0 };
	struct origin *grown;
	int err = split(url, &o.scheme, &o.host, &o.port);

	if (!err && !(o.text = authority_text(url)))
		err = -ENOMEM;
	grown = err ? NULL : realloc(*list, (*n + 1) * sizeof **list);
	if (!grown) {
		release(o.scheme, o.host, o.port);
		free(o.text);
		return err ? err : -ENOMEM;
	}
	grown[(*n)++] = o;
	*list = grown;
	return 0;
}

int origins_parse(struct origin **out, size_t *n, const char *base)
{
	struct origin *list = NULL;
	size_t count = 0;
	char *copy = strdup(base ? base : ""), *rest = copy, *word;
	int err = copy ? 0 : -ENOMEM;

	while (!err && (word = strsep(&rest, " ,")))
		if (*word)
			err = add(&list, &count, word);
	free(copy);
	if (err) {
		origins_free(list, count);
		return err;
	}
	*out = list;
	*n = count;
	return 0;
}

static bool begins_with(const char *url, const char *origin)
{
	size_t n = strlen(origin);

	return !strncasecmp(url, origin, n) && (!url[n] || strchr("/?#", url[n]));
}

bool origins_have(const struct origin *o, size_t n, const char *url)
{
	char *scheme, *host, *port;
	bool have = false;

	if (!is_plain(url))
		return false;
	for (size_t i = 0; i < n; i++)
		if (begins_with(url, o[i].text))
			return true;
	if (split(url, &scheme, &host, &port)) {
		release(scheme, host, port);
		return false;
	}
	for (size_t i = 0; i < n && !have; i++)
		have = !strcmp(scheme, o[i].scheme) && !strcasecmp(host, o[i].host) && !strcmp(port, o[i].port);
	release(scheme, host, port);
	return have || !n;
}

char *url_resolve(const char *from, const char *to)
{
	CURLU *u = curl_url();
	char *text = NULL, *scheme = NULL, *copy = NULL;

	if (u && strlen(to) <= URL_MOST && !curl_url_set(u, CURLUPART_URL, from, 0) &&
	    !curl_url_set(u, CURLUPART_URL, to, CURLU_DISALLOW_USER) &&
	    !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) && !strncmp(scheme, "http", 4) &&
	    !curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) && !curl_url_get(u, CURLUPART_URL, &text, 0) &&
	    is_plain(text))
		copy = strdup(text);
	curl_free(text);
	curl_free(scheme);
	curl_url_cleanup(u);
	return copy;
}

bool url_is_downgrade(const char *from, const char *to)
{
	return !strncasecmp(from, "https:", 6) && strncasecmp(to, "https:", 6);
}
