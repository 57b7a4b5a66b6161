/* SPDX-License-Identifier: Apache-2.0 */
/* message.c - CoAP messages as words of a scenario, in both directions
 *
 * What is expected is built like what is sent and compared octet by octet, so nothing can be in a message that the
 * scenario does not name. Only message id and token may be variables, which are bound by the first message that has
 * them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

struct opt {
	uint32_t number;
	uint8_t value[1200];
	size_t len;
};
struct message {
	uint8_t type, code;
	const char *mid, *token; /* as written; NULL: absent */
	struct opt opts[48];
	unsigned opts_n;
	uint8_t payload[UNIT_MOST];
	size_t payload_len;
};

static struct opt *add_option(struct message *m, uint32_t number)
{
	unsigned at = m->opts_n;

	if (m->opts_n == sizeof m->opts / sizeof m->opts[0])
		fail("too many options");
	for (; at && m->opts[at - 1].number > number; at--) /* stable: those of one number stay in order */
		m->opts[at] = m->opts[at - 1];
	m->opts_n++;
	m->opts[at].number = number;
	m->opts[at].len = 0;
	return &m->opts[at];
}

static void add_octets(struct message *m, uint32_t number, const void *data, size_t len)
{
	struct opt *o = add_option(m, number);

	if (len > sizeof o->value)
		fail("an option is too long");
	memcpy(o->value, data, len);
	o->len = len;
}

static void add_uint(struct message *m, uint32_t number, unsigned long value)
{
	struct opt *o = add_option(m, number);

	for (int shift = 24; shift >= 0; shift -= 8)
		if (value >> shift || o->len)
			o->value[o->len++] = (uint8_t)(value >> shift);
}

/* "a/b/c", without the first slash */
static void add_segments(struct message *m, uint32_t number, const char *text, size_t len)
{
	const char *end = text + len;

	for (;;) {
		const char *cut = memchr(text, '/', (size_t)(end - text));

		add_octets(m, number, text, (size_t)((cut ? cut : end) - text));
		if (!cut)
			return;
		text = cut + 1;
	}
}

/* "/rd?ep=x&lt=60" */
static void add_target(struct message *m, const char *text)
{
	const char *query = strchr(text, '?');
	size_t path = query ? (size_t)(query - text) : strlen(text);

	if (path > 1)
		add_segments(m, COAP_URI_PATH, text + 1, path - 1);
	while (query) {
		const char *next = strchr(query + 1, '&');

		add_octets(m, COAP_URI_QUERY, query + 1, next ? (size_t)(next - query - 1) : strlen(query + 1));
		query = next;
	}
}

/* "NUM/M/SIZE": 2/1/512 */
static void add_block(struct message *m, uint32_t number, const char *text)
{
	unsigned long num, more, size;
	unsigned szx = 0;

	if (sscanf(text, "%lu/%lu/%lu", &num, &more, &size) != 3)
		fail("\"%s\" is no block: NUM/M/SIZE", text);
	while (16ul << szx < size)
		szx++;
	add_uint(m, number, num << 4 | more << 3 | szx);
}

/* "41:0a0b", or "41" for one without a value */
static void add_numbered(struct message *m, const char *text)
{
	char *end;
	uint32_t number = (uint32_t)strtoul(text, &end, 10);
	struct opt *o = add_option(m, number);

	if (*end == ':')
		o->len = hex_parse(end + 1, o->value, sizeof o->value);
	else if (*end)
		fail("\"%s\" is no option: NUMBER:HEX", text);
}

static bool add_named(struct message *m, const char *word)
{
	for (size_t i = 0; option_names[i].name; i++) {
		const char *value = word_value(word, option_names[i].name);
		struct opt *o;

		if (!value)
			continue;
		if (option_names[i].form == AS_UINT)
			add_uint(m, option_names[i].number, (unsigned long)number_parse(value));
		else if (option_names[i].form == AS_TEXT)
			add_octets(m, option_names[i].number, value, strlen(value));
		else if (option_names[i].form == AS_BLOCK)
			add_block(m, option_names[i].number, value);
		else if (option_names[i].form == AS_SEGMENTS)
			add_segments(m, option_names[i].number, value + 1, strlen(value) - 1);
		else {
			o = add_option(m, option_names[i].number);
			o->len = hex_parse(value, o->value, sizeof o->value);
		}
		return true;
	}
	return false;
}

/* "0xHEX", "600*x" or plain text */
static void read_payload(struct message *m, const char *text)
{
	char *star;
	unsigned long n = strtoul(text, &star, 10);

	if (strncmp(text, "0x", 2) == 0) {
		m->payload_len = hex_parse(text + 2, m->payload, sizeof m->payload);
	} else if (star != text && star[0] == '*' && star[1] && !star[2] && n <= sizeof m->payload) {
		memset(m->payload, star[1], n);
		m->payload_len = n;
	} else {
		m->payload_len = strlen(text);
		if (m->payload_len > sizeof m->payload)
			fail("the payload is too long");
		memcpy(m->payload, text, m->payload_len);
	}
}

/* MSG: as it crosses a stream, without type and id; sessions see a NON. */
static uint8_t read_type(const char *word)
{
	if (strcmp(word, "MSG") == 0)
		return COAP_NON;
	for (uint8_t i = 0; i < 4; i++)
		if (strcmp(word, type_names[i]) == 0)
			return i;
	fail("\"%s\" is no type: CON NON ACK RST MSG", word);
}

static uint8_t read_code(const char *word)
{
	unsigned c, d;

	for (uint8_t i = 0; i < 8; i++)
		if (strcmp(word, method_names[i]) == 0)
			return i;
	if (sscanf(word, "%1u.%2u", &c, &d) != 2 || c > 7 || d > 31)
		fail("\"%s\" is no code: EMPTY, GET .., 2.05", word);
	return COAP_CODE(c, d);
}

static void read_message(struct message *m, const struct words *w, unsigned first)
{
	const char *value;

	memset(m, 0, sizeof *m);
	if (w->n < first + 2)
		fail("a message has a type and a code");
	m->type = read_type(w->v[first]);
	m->mid = strcmp(w->v[first], "MSG") == 0 ? "0" : NULL;
	m->code = read_code(w->v[first + 1]);
	for (unsigned i = first + 2; i < w->n; i++) {
		const char *word = w->v[i];

		if (*word == '@')
			continue;
		if (*word == '/')
			add_target(m, word);
		else if ((value = word_value(word, "mid")))
			m->mid = value;
		else if ((value = word_value(word, "token")))
			m->token = value;
		else if ((value = word_value(word, "opt")))
			add_numbered(m, value);
		else if ((value = word_value(word, "payload")))
			read_payload(m, value);
		else if (!add_named(m, word))
			fail("\"%s\" has no place in a message", word);
	}
}

static size_t encode(const struct message *m, uint16_t mid, const uint8_t *token, size_t token_len, uint8_t *buf,
		     size_t size)
{
	struct coap_builder b;
	long len;

	coap_build(&b, buf, size, m->type, m->code, mid, token, token_len);
	for (unsigned i = 0; i < m->opts_n; i++)
		coap_build_option(&b, m->opts[i].number, m->opts[i].value, m->opts[i].len);
	coap_build_payload(&b, m->payload, m->payload_len);
	len = coap_build_end(&b);
	if (len < 0)
		fail("the message is too long");
	return (size_t)len;
}

/* ---- variables ---- */

static struct variable *find_variable(const char *name)
{
	for (size_t i = 0; i < world.vars_n; i++)
		if (strcmp(world.vars[i].name, name) == 0)
			return &world.vars[i];
	return NULL;
}

/* The octets that a mid or token stands for; octets are what was seen, and bind a new variable (NULL: none may be new).
 */
static size_t resolve(const char *text, uint8_t out[COAP_TOKEN_MAX], const uint8_t *seen, size_t seen_len, bool is_mid)
{
	struct variable *v;

	if (*text == '*' && seen) {
		memcpy(out, seen, seen_len);
		return seen_len;
	}
	if (*text == '$') {
		v = find_variable(text + 1);
		if (!v) {
			if (!seen)
				fail("%s has no value yet", text);
			if (world.vars_n == sizeof world.vars / sizeof world.vars[0])
				fail("too many variables");
			v = &world.vars[world.vars_n++];
			v->name = strdup(text + 1);
			memcpy(v->value, seen, seen_len);
			v->len = seen_len;
		}
		memcpy(out, v->value, v->len);
		return v->len;
	}
	if (is_mid) {
		long n = number_parse(text);

		out[0] = (uint8_t)(n >> 8);
		out[1] = (uint8_t)n;
		return 2;
	}
	return hex_parse(text, out, COAP_TOKEN_MAX);
}

uint16_t mid_value(const char *text)
{
	uint8_t mid[COAP_TOKEN_MAX];

	(void)resolve(text, mid, NULL, 0, true);
	return (uint16_t)(mid[0] << 8 | mid[1]);
}

static size_t encode_as(const struct message *m, const struct coap_msg *seen, uint8_t *buf, size_t size)
{
	uint8_t mid[COAP_TOKEN_MAX] = { 0 }, token[COAP_TOKEN_MAX], seen_mid[2];
	size_t token_len = 0;

	if (seen) {
		seen_mid[0] = (uint8_t)(seen->mid >> 8);
		seen_mid[1] = (uint8_t)seen->mid;
	}
	if (!m->mid)
		fail("the message has no mid=");
	(void)resolve(m->mid, mid, seen ? seen_mid : NULL, 2, true);
	if (m->token)
		token_len = resolve(m->token, token, seen ? seen->token : NULL, seen ? seen->token_len : 0, false);
	return encode(m, (uint16_t)(mid[0] << 8 | mid[1]), token, token_len, buf, size);
}

size_t message_build(uint8_t *buf, size_t size, const struct words *w, unsigned first)
{
	static struct message m;

	read_message(&m, w, first);
	return encode_as(&m, NULL, buf, size);
}

void message_expect(const uint8_t *data, size_t len, const struct words *w, unsigned first, const char *shown)
{
	static struct message m;
	static uint8_t buf[UNIT_MOST];
	struct coap_msg seen;
	size_t n;
	char *text;

	if (first + 1 < w->n && strcmp(w->v[first], "raw") == 0) {
		n = hex_parse(w->v[first + 1], buf, sizeof buf);
		if (n != len || memcmp(buf, data, len) != 0)
			fail("seen instead: %s", shown);
		return;
	}
	read_message(&m, w, first);
	if (coap_parse(&seen, data, len))
		fail("what was sent is no message");
	if (words_find(w, first, "payload") && strcmp(words_find(w, first, "payload"), "*") == 0) {
		if (seen.payload_len)
			memcpy(m.payload, seen.payload, seen.payload_len);
		m.payload_len = seen.payload_len;
	}
	n = encode_as(&m, &seen, buf, sizeof buf);
	if (n == len && memcmp(buf, data, len) == 0)
		return;
	text = message_text(buf, n);
	fail("expected %s\n    seen     %s", text, shown);
}
