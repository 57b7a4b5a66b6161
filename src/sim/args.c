/* SPDX-License-Identifier: Apache-2.0 */
/* args.c - options of a subcommand as a table
 *
 * Long options only, as --name VALUE or --name=VALUE: with this many switches single letters would be riddles.
 */
#include "sim/args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *field(void *opts, const struct args_item *it)
{
	return (char *)opts + it->offset;
}

/* A table ends with an item that has neither name nor help. */
static const struct args_item *find(const struct args_item *items, const char *name, size_t len)
{
	for (const struct args_item *it = items; it->name || (it->kind == ARGS_HEAD && it->help); it++) {
		if (it->kind != ARGS_HEAD && strlen(it->name) == len && !memcmp(it->name, name, len))
			return it;
	}
	return NULL;
}

static int set_uint(uint64_t *to, const struct args_item *it, const char *value)
{
	char *end = NULL;
	unsigned long long v;

	if (*value < '0' || *value > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(value, &end, 0);
	if (errno || *end || v < it->least || v > it->most)
		return -EINVAL;
	*to = v;
	return 0;
}

static int set_word(unsigned *to, const struct args_item *it, const char *value)
{
	for (unsigned i = 0; it->words[i]; i++) {
		if (!strcmp(it->words[i], value)) {
			*to = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_flag(bool *to, const char *value)
{
	bool on = !strcmp(value, "on") || !strcmp(value, "true") || !strcmp(value, "1");

	if (!on && strcmp(value, "off") && strcmp(value, "false") && strcmp(value, "0"))
		return -EINVAL;
	*to = on;
	return 0;
}

static int set_text(char **to, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static int add_text(struct args_list *list, const char *value)
{
	char **more = realloc(list->texts, (list->n + 1) * sizeof *more);

	if (!more)
		return -ENOMEM;
	list->texts = more;
	more[list->n] = strdup(value);
	if (!more[list->n])
		return -ENOMEM;
	list->n++;
	return 0;
}

static int set(void *opts, const struct args_item *it, const char *value)
{
	switch (it->kind) {
	case ARGS_TEXT:
		return set_text(field(opts, it), value);
	case ARGS_UINT:
		return set_uint(field(opts, it), it, value);
	case ARGS_FLAG:
		return set_flag(field(opts, it), value);
	case ARGS_WORD:
		return set_word(field(opts, it), it, value);
	case ARGS_LIST:
		return add_text(field(opts, it), value);
	case ARGS_HEAD:
		break;
	}
	return -EINVAL;
}

int args_set(void *opts, const struct args_item *items, const char *name, const char *value)
{
	const struct args_item *it = find(items, name, strlen(name));

	if (!it || !it->live)
		return -ENOENT;
	return set(opts, it, value);
}

static void print_words(const struct args_item *it)
{
	for (unsigned i = 0; it->words[i]; i++)
		printf("%s%s", i ? "|" : "", it->words[i]);
}

static void print_item(const struct args_item *it)
{
	printf("  --%s", it->name);
	if (it->kind == ARGS_WORD) {
		putchar(' ');
		print_words(it);
	} else if (it->kind != ARGS_FLAG) {
		printf(" %s", it->meta ? it->meta : "N");
	}
	if (it->preset)
		printf("  (%s)", it->preset);
	printf("%s\n        %s\n", it->kind == ARGS_LIST ? "  may be repeated" : "", it->help);
}

static int print_help(const struct args_item *items, const char *usage, const char *subcommand)
{
	printf("usage: niddgw-sim %s %s\n", subcommand, usage);
	for (const struct args_item *it = items; it->name || (it->kind == ARGS_HEAD && it->help); it++) {
		if (it->kind == ARGS_HEAD)
			printf("\n%s\n", it->help);
		else
			print_item(it);
	}
	puts("\n  --help\n        This text.\n  --version\n        The version.");
	return 1;
}

static int wrong(const char *subcommand, const char *name, const char *value, const char *why)
{
	fprintf(stderr, "niddgw-sim %s: %s%s%s: %s; --help tells more\n", subcommand, name, value ? " " : "",
		value ? value : "", why);
	return -EINVAL;
}

/* Takes one option at argv[*i]; moves *i when its value is the next word. */
static int take(void *opts, const struct args_item *items, int argc, char **argv, int *i)
{
	const char *word = argv[*i], *equals = strchr(word, '=');
	const struct args_item *it;
	const char *value;

	if (strncmp(word, "--", 2))
		return wrong(argv[0], word, NULL, "not an option");
	it = find(items, word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word) - 2);
	if (!it)
		return wrong(argv[0], word, NULL, "no such option");
	if (equals)
		value = equals + 1;
	else if (it->kind == ARGS_FLAG)
		value = "on";
	else if (*i + 1 < argc)
		value = argv[++*i];
	else
		return wrong(argv[0], word, NULL, "a value is missing");
	if (set(opts, it, value))
		return wrong(argv[0], word, value, "not a value for it");
	return 0;
}

int args_parse(void *opts, const struct args_item *items, const char *usage, int argc, char **argv)
{
	for (const struct args_item *it = items; it->name || (it->kind == ARGS_HEAD && it->help); it++) {
		if (it->kind != ARGS_HEAD && it->preset && set(opts, it, it->preset))
			return -EINVAL;
	}
	for (int i = 1; i < argc; i++) {
		int err;

		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return print_help(items, usage, argv[0]);
		if (!strcmp(argv[i], "--version"))
			return puts("niddgw-sim " NIDDGW_VERSION) < 0 ? -EINVAL : 1;
		err = take(opts, items, argc, argv, &i);
		if (err)
			return err;
	}
	return 0;
}

void args_free(void *opts, const struct args_item *items)
{
	for (const struct args_item *it = items; it->name || (it->kind == ARGS_HEAD && it->help); it++) {
		if (it->kind == ARGS_TEXT) {
			char **text = field(opts, it);

			free(*text);
			*text = NULL;
		} else if (it->kind == ARGS_LIST) {
			struct args_list *list = field(opts, it);

			for (size_t i = 0; i < list->n; i++)
				free(list->texts[i]);
			free(list->texts);
			*list = (struct args_list){ 0 };
		}
	}
}
