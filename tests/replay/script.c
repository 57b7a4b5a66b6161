/* SPDX-License-Identifier: Apache-2.0 */
/* script.c - lines of a scenario cut into words */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

static char *take_word(const char **at, char *to)
{
	const char *p = *at;
	bool quoted = false;

	for (; *p && (quoted || !isspace((unsigned char)*p)); p++) {
		if (*p == '"')
			quoted = !quoted;
		else
			*to++ = *p;
	}
	if (quoted)
		fail("a quote is not closed");
	*to++ = '\0';
	*at = p;
	return to;
}

void words_split(struct words *w, const char *line)
{
	char *to = w->text;

	w->n = 0;
	if (strlen(line) >= sizeof w->text)
		fail("the line is too long");
	for (;;) {
		while (isspace((unsigned char)*line))
			line++;
		if (!*line || *line == '#')
			return;
		if (w->n == WORDS_MAX)
			fail("too many words");
		w->v[w->n++] = to;
		to = take_word(&line, to);
	}
}

const char *word_value(const char *word, const char *key)
{
	size_t len = strlen(key);

	return strncmp(word, key, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

const char *words_find(const struct words *w, unsigned first, const char *key)
{
	for (unsigned i = first; i < w->n; i++) {
		const char *value = word_value(w->v[i], key);

		if (value)
			return value;
	}
	return NULL;
}

uint64_t time_parse(const char *text)
{
	char *unit;
	double n = strtod(text, &unit);

	if (unit == text || n < 0)
		fail("\"%s\" is no time", text);
	if (strcmp(unit, "ms") == 0)
		return (uint64_t)(n + 0.5);
	if (strcmp(unit, "s") == 0)
		return (uint64_t)(n * 1000 + 0.5);
	if (strcmp(unit, "m") == 0)
		return (uint64_t)(n * 60000 + 0.5);
	if (strcmp(unit, "h") == 0)
		return (uint64_t)(n * 3600000 + 0.5);
	fail("\"%s\" is no time: ms, s, m, h", text);
}

static unsigned nibble(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	fail("'%c' is no hexadecimal digit", c);
}

size_t hex_parse(const char *text, uint8_t *out, size_t size)
{
	size_t n = strlen(text) / 2;

	if (strlen(text) % 2 || n > size)
		fail("\"%s\" is no hexadecimal text of at most %zu octets", text, size);
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
	return n;
}

long number_parse(const char *text)
{
	char *end;
	long n = strtol(text, &end, 0);

	if (end == text || *end)
		fail("\"%s\" is no number", text);
	return n;
}
