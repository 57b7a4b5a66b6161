/* SPDX-License-Identifier: Apache-2.0 */
/* test_differential.c - our parser beside libcoap's, src/coap/codec.c
 *
 * Messages are generated and mutated from a fixed seed, in both framings, and given to coap_parse() or
 * coap_parse_stream() and to libcoap's coap_pdu_parse(). Both have to agree on accepting it and on every part. Where
 * they are known to differ, the table of differences says how and why; a difference that no row explains fails the
 * test, and so does a row that explained nothing.
 */
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Both libraries have a function of this name. Ours is linked, theirs is asked for by name. */
#define coap_option_next libcoap_option_next
#include <coap3/coap.h>
#undef coap_option_next

#include "coap/codec.h"
#include "unit/coap/vectors.h"

#define PER_FRAMING 150000u
#define MESSAGE_MAX 70000u
#define OPTIONS_MAX 64u

typedef coap_opt_t *next_fn(coap_opt_iterator_t *it);

/* ---- what each of the two says ---- */

struct part {
	uint32_t number;
	size_t len;
	const uint8_t *value;
};

struct said {
	int err; /* 0: accepted */
	unsigned type, code, mid;
	size_t token_len, payload_len, options;
	const uint8_t *token, *payload;
	struct part option[OPTIONS_MAX]; /* the first of them */
};

struct input {
	bool stream;
	size_t len;
	uint8_t *data; /* of MESSAGE_MAX */
};

static void ask_ours(struct said *s, struct coap_msg *m, const struct input *in)
{
	struct coap_options it;
	struct coap_option o;
	size_t need;
	long r = in->stream ? coap_parse_stream(m, in->data, in->len, MESSAGE_MAX, &need)
			    : coap_parse(m, in->data, in->len);

	*s = (struct said){ .err = r < 0 ? (int)r : 0 };
	s->type = m->type;
	s->code = m->code;
	if (r < 0)
		return;
	assert_true(!in->stream || (size_t)r == in->len);
	s->mid = m->mid;
	s->token = m->token;
	s->token_len = m->token_len;
	s->payload = m->payload;
	s->payload_len = m->payload_len;
	for (it = coap_options_of(m); coap_option_next(&it, &o); s->options++)
		if (s->options < OPTIONS_MAX)
			s->option[s->options] = (struct part){ o.number, o.len, o.value };
}

static next_fn *their_option_next(void)
{
	void *symbol = dlsym(RTLD_DEFAULT, "coap_option_next");
	next_fn *fn;

	assert_non_null(symbol);
	memcpy(&fn, &symbol, sizeof fn);
	return fn;
}

/* pdu holds what s points into. */
static void ask_theirs(struct said *s, coap_pdu_t *pdu, next_fn *next, const struct input *in)
{
	coap_opt_iterator_t it;
	coap_bin_const_t token;
	coap_opt_t *o;

	*s = (struct said){ .err = -EBADMSG };
	if (in->len && !coap_pdu_parse(in->stream ? COAP_PROTO_TCP : COAP_PROTO_UDP, in->data, in->len, pdu))
		return;
	if (!in->len)
		return;
	s->err = 0;
	s->type = in->stream ? 0 : coap_pdu_get_type(pdu);
	s->code = coap_pdu_get_code(pdu);
	s->mid = in->stream ? 0 : (uint16_t)coap_pdu_get_mid(pdu);
	token = coap_pdu_get_token(pdu);
	s->token = token.s;
	s->token_len = token.length;
	coap_option_iterator_init(pdu, &it, COAP_OPT_ALL);
	for (; (o = next(&it)); s->options++)
		if (s->options < OPTIONS_MAX)
			s->option[s->options] = (struct part){ it.number, coap_opt_length(o), coap_opt_value(o) };
	if (!coap_get_data(pdu, &s->payload_len, &s->payload))
		s->payload_len = 0;
}

static bool same_octets(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	return a_len == b_len && (!a_len || !memcmp(a, b, a_len));
}

static bool same_parts(const struct said *a, const struct said *b)
{
	if (a->type != b->type || a->code != b->code || a->mid != b->mid || a->options != b->options)
		return false;
	if (!same_octets(a->token, a->token_len, b->token, b->token_len) ||
	    !same_octets(a->payload, a->payload_len, b->payload, b->payload_len))
		return false;
	for (size_t i = 0; i < a->options && i < OPTIONS_MAX; i++)
		if (a->option[i].number != b->option[i].number ||
		    !same_octets(a->option[i].value, a->option[i].len, b->option[i].value, b->option[i].len))
			return false;
	return true;
}

/* ---- accepted differences ---- */

/* The lengths libcoap 4.3.1 insists on. */
static const struct limit {
	uint8_t code; /* of a signalling message, or 0: requests and responses */
	uint16_t number, least, most;
} limits[] = {
	{ 0, 1, 0, 8 },
	{ 0, 3, 1, 255 },
	{ 0, 4, 1, 8 },
	{ 0, 5, 0, 0 },
	{ 0, 6, 0, 3 },
	{ 0, 7, 0, 2 },
	{ 0, 8, 0, 255 },
	{ 0, 9, 0, 255 },
	{ 0, 11, 0, 255 },
	{ 0, 12, 0, 2 },
	{ 0, 14, 0, 4 },
	{ 0, 15, 1, 255 },
	{ 0, 16, 1, 1 },
	{ 0, 17, 0, 2 },
	{ 0, 20, 0, 255 },
	{ 0, 23, 0, 3 },
	{ 0, 27, 0, 3 },
	{ 0, 28, 0, 4 },
	{ 0, 35, 1, 1034 },
	{ 0, 39, 1, 255 },
	{ 0, 60, 0, 4 },
	{ 0, 252, 0, 40 },
	{ 0, 258, 0, 1 },
	{ 0, 292, 0, 8 },
	{ COAP_CSM, 2, 0, 4 },
	{ COAP_CSM, 4, 0, 0 },
	{ COAP_PING, 2, 0, 0 },
	{ COAP_PONG, 2, 0, 0 },
	{ COAP_RELEASE, 2, 1, 255 },
	{ COAP_RELEASE, 4, 0, 3 },
	{ COAP_ABORT, 2, 0, 2 },
};

static bool beyond_a_limit(const struct part *p, uint8_t code)
{
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
		if (limits[i].code == code && limits[i].number == p->number)
			return p->len < limits[i].least || p->len > limits[i].most;
	return false;
}

static bool has_bad_length(const struct coap_msg *m, uint8_t code)
{
	struct coap_options it = coap_options_of(m);
	struct coap_option o;

	while (coap_option_next(&it, &o))
		if (beyond_a_limit(&(struct part){ o.number, o.len, o.value }, code))
			return true;
	return false;
}

static bool is_bad_length(const struct input *in, const struct coap_msg *m, const struct said *ours,
			  const struct said *theirs)
{
	return !ours->err && theirs->err && !(in->stream && coap_class(m->code) == 7) && has_bad_length(m, 0);
}

static bool is_bad_signal_length(const struct input *in, const struct coap_msg *m, const struct said *ours,
				 const struct said *theirs)
{
	return in->stream && !ours->err && theirs->err && coap_class(m->code) == 7 && has_bad_length(m, m->code);
}

static bool is_reserved_class(const struct input *in, const struct coap_msg *m, const struct said *ours,
			      const struct said *theirs)
{
	return !in->stream && ours->err == -ENOTSUP && !theirs->err && !coap_is_request(m->code) &&
		!coap_is_response(m->code);
}

static bool is_out_of_place(const struct input *in, const struct coap_msg *m, const struct said *ours,
			    const struct said *theirs)
{
	return !in->stream && ours->err == -ENOTSUP && !theirs->err &&
		(coap_is_request(m->code) ? m->type == COAP_ACK || m->type == COAP_RST
					  : coap_is_response(m->code) && m->type == COAP_RST);
}

/* The option at which our walk ends has a delta from 65536 on: libcoap keeps it in 16 bits and checks only its first
 * octet. */
static bool is_wrapped_delta(const struct input *in, const struct coap_msg *m, const struct said *ours,
			     const struct said *theirs)
{
	const uint8_t *end = in->data + in->len, *at = m->options;
	struct coap_options it;
	struct coap_option o;

	if (ours->err != -EBADMSG || theirs->err || !at)
		return false;
	for (it = (struct coap_options){ reader_of(at, (size_t)(end - at)), 0 }; coap_option_next(&it, &o);)
		at = it.r.p;
	return end - at > 2 && at[0] >> 4 == 14 && at[1] == 0xfe && at[2] >= 0xf3;
}

static bool is_huge_option(const struct input *in, const struct coap_msg *m, const struct said *ours,
			   const struct said *theirs)
{
	(void)m;
	for (size_t i = 0; in->stream && ours->err == -EBADMSG && i < theirs->options && i < OPTIONS_MAX; i++)
		if (theirs->option[i].len > UINT16_MAX)
			return true;
	return false;
}

static bool is_full_empty_message(const struct input *in, const struct coap_msg *m, const struct said *ours,
				  const struct said *theirs)
{
	return in->stream && !ours->err && theirs->err && m->code == COAP_EMPTY &&
		(m->token_len || m->options_len || m->payload_len);
}

static struct difference {
	const char *name, *reason;
	bool (*explains)(const struct input *in, const struct coap_msg *m, const struct said *ours,
			 const struct said *theirs);
	unsigned seen;
} differences[] = {
	{ "length of a recognised option",
	  "it makes the option count as unrecognised, not the message as malformed (RFC 7252 5.4.3); libcoap also "
	  "refuses the "
	  "Uri-Query of 0 octets that RFC 7252 5.10 allows",
	  is_bad_length, 0 },
	{ "length of a signalling option", "the same, in the layer that knows signalling (RFC 8323 5.2)",
	  is_bad_signal_length, 0 },
	{ "reserved code class",
	  "told apart from malformed, so that each type gets its own reaction (RFC 7252 4.2, 4.3)", is_reserved_class,
	  0 },
	{ "ACK or RST with a request, RST with a response",
	  "not to be processed (RFC 7252 4.2); libcoap leaves it to its caller", is_out_of_place, 0 },
	{ "option delta of 65536 to 65548", "option numbers end at 65535; libcoap lets the delta wrap to 0 to 12",
	  is_wrapped_delta, 0 },
	{ "option longer than 65535 octets", "only a stream can carry one and no option is defined so long; refused",
	  is_huge_option, 0 },
	{ "empty message with content on a stream",
	  "empty messages on a stream are ignored whatever is in them (RFC 8323 3.4)", is_full_empty_message, 0 },
};
#define DIFFERENCES (sizeof differences / sizeof differences[0])

/* ---- generator ---- */

static uint64_t seed;

static uint32_t below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % n;
}

/* Deltas small enough for many options, and at times one at a border. */
static uint32_t some_number(uint32_t before)
{
	static const uint32_t border[] = { 12, 13, 14, 268, 269, 270, 65000, 65534, 65535 };
	uint32_t n = before + (below(12) ? below(9) : below(4) ? below(300) : border[below(9)]);

	return n > 65535 ? before : n;
}

static size_t some_length(bool stream)
{
	static const uint16_t border[] = { 12, 13, 14, 255, 256, 268, 269, 270, 1034, 1035 };

	if (stream && !below(20000))
		return 65500 + below(36);
	return below(30) ? below(5) : below(2) ? below(60) : border[below(10)];
}

static uint8_t some_code(bool stream)
{
	static const uint8_t usual[] = { COAP_GET,     COAP_POST,     COAP_PUT,       COAP_DELETE,
					 COAP_FETCH,   COAP_IPATCH,   COAP_CREATED,   COAP_CHANGED,
					 COAP_CONTENT, COAP_CONTINUE, COAP_NOT_FOUND, COAP_BAD_GATEWAY };

	if (below(12))
		return usual[below(sizeof usual)];
	return stream && below(2) ? (uint8_t)COAP_CODE(7, 1 + below(5)) : (uint8_t)below(256);
}

/* A length libcoap takes, so that it has parts to compare, but for one option in twenty. */
static size_t legal_length(uint32_t number, size_t len)
{
	for (size_t i = 0; below(20) && i < sizeof limits / sizeof limits[0] && !limits[i].code; i++) {
		if (limits[i].number != number)
			continue;
		if (len < limits[i].least)
			return limits[i].least;
		return len > limits[i].most ? limits[i].most : len;
	}
	return len;
}

static void generate_options(struct coap_builder *b, bool stream, const uint8_t *noise)
{
	uint32_t number = 0;

	for (uint32_t n = below(2) ? below(6) : below(14); n; n--) {
		number = some_number(number);
		coap_build_option(b, number, noise + below(64), legal_length(number, some_length(stream)));
	}
}

/* A datagram that may be broken only by its code and by the lengths of options. */
static void generate(struct coap_msg *m, uint8_t *buf, size_t size, bool stream, const uint8_t *noise)
{
	enum coap_type type = below(8) ? (enum coap_type)below(2) : (enum coap_type)below(4);
	struct coap_builder b;
	size_t token = below(9);

	memset(m, 0, sizeof *m);
	coap_build(&b, buf, size, type, some_code(stream), (uint16_t)below(65536), noise, token);
	generate_options(&b, stream, noise);
	if (below(2))
		coap_build_payload(&b, noise, 1 + below(40));
	m->options_len = (size_t)coap_build_end(&b); /* all of it; cut up by the caller */
}

static void mutate(struct input *in)
{
	uint32_t n = below(3) ? 0 : 1 + below(4);

	for (; n && in->len; n--) {
		size_t at = below((uint32_t)in->len);

		switch (below(6)) {
		case 0:
			in->data[at] ^= (uint8_t)(1u << below(8));
			break;
		case 1:
			in->data[at] = (uint8_t)below(256);
			break;
		case 2:
			in->data[at] = (uint8_t[]){ 0xff, 0xf0, 0x0f, 0xe0, 0xd0, 0xdd, 0xee, 0 }[below(8)];
			break;
		case 3:
			in->len = at;
			break;
		case 4:
			memmove(in->data + at, in->data + at + 1, in->len - at - 1);
			in->len--;
			break;
		default:
			if (in->len + 1 > MESSAGE_MAX)
				break;
			memmove(in->data + at + 1, in->data + at, in->len - at);
			in->data[at] = (uint8_t)below(256);
			in->len++;
		}
	}
}

/* What random bits reach too seldom. */
static size_t put_rarity(uint8_t *data, uint32_t which)
{
	static const char *const rare[] = { "40011234e0fef3",    "40021234e1fef341", "40011234e0fef2",
					    "4001123410e0fef1",  "40011234e0ffff",   "40011234e0fef210",
					    "40011234b161e0fef5" };
	struct octets o = octets_of_hex(rare[which]);

	memcpy(data, o.data, o.len);
	return o.len;
}
#define RARITIES 7

static void next_datagram(struct input *in, const uint8_t *noise)
{
	struct coap_msg m;
	struct octets o;

	in->stream = false;
	if (!below(200)) {
		in->len = put_rarity(in->data, below(RARITIES));
	} else if (!below(10)) {
		o = octets_of_hex(vectors[below(VECTORS)].hex);
		memcpy(in->data, o.data, in->len = o.len);
	} else {
		generate(&m, in->data, MESSAGE_MAX, false, noise);
		in->len = m.options_len;
	}
	mutate(in);
}

/* The body of a datagram behind a stream header. Mutations come first, so that most lengths are right. */
static void next_stream(struct input *in, const uint8_t *noise)
{
	static uint8_t flat[MESSAGE_MAX], huge[66000];
	struct input body = { .data = flat };
	size_t token, head;
	struct coap_msg m;
	long len;

	do {
		if (below(100)) {
			generate(&m, flat, sizeof flat, true, noise);
			body.len = m.options_len;
		} else {
			body.len = put_rarity(flat, below(RARITIES));
		}
		mutate(&body);
	} while (body.len < 4);
	token = flat[0] & 15;
	head = 4 + (token > body.len - 4 ? body.len - 4 : token);
	in->stream = true;
	if (!below(5000)) { /* an option of 65536 octets and more, by hand: no builder of ours makes one */
		size_t ext = 65266 + below(100);

		memcpy(huge, (const uint8_t[]){ 0xee, 2, 0, (uint8_t)(ext >> 8), (uint8_t)ext }, 5);
		len = coap_write_stream(in->data, MESSAGE_MAX, COAP_POST, NULL, 0, huge, 5 + 269 + ext, NULL, 0);
	} else {
		len = coap_write_stream(in->data, MESSAGE_MAX, flat[1], flat + 4, token > 8 ? 0 : head - 4, flat + head,
					body.len - head, NULL, 0);
	}
	in->len = len > 0 ? (size_t)len : 0;
	if (!below(8))
		mutate(in);
}

/* ---- the comparison ---- */

/* The octets a stream header announces, read apart from the code under test; 0 when it is not whole. */
static uint64_t announced(const struct input *in)
{
	static const uint32_t base[] = { 13, 269, 65805 };
	unsigned nibble = in->len ? in->data[0] >> 4 : 0, ext = nibble < 13 ? 0 : 1u << (nibble - 13);
	uint64_t body = 0;

	if (in->len < 1u + ext)
		return 0;
	for (unsigned i = 1; i <= ext; i++)
		body = body << 8 | in->data[i];
	return 2u + ext + (in->data[0] & 15u) + (ext ? body + base[nibble - 13] : nibble);
}

/* libcoap's parser is given whole messages only: what is short or long is cut as the header says. True: compare. */
static bool frame(struct input *in)
{
	uint64_t total = announced(in);
	struct coap_msg m;
	size_t need;
	long r;

	if (!in->len || (in->data[0] & 15) > COAP_TOKEN_MAX)
		return true;
	if (total && total <= in->len) {
		in->len = (size_t)total;
		return true;
	}
	r = coap_parse_stream(&m, in->data, in->len, MESSAGE_MAX, &need);
	assert_int_equal(r, total > MESSAGE_MAX ? -EMSGSIZE : -EAGAIN);
	if (r == -EAGAIN)
		assert_true(need > in->len && (!total || need == total));
	return false;
}

static void print_input(const struct input *in, const struct said *ours, const struct said *theirs)
{
	print_error("%s, ours %d theirs %d, %zu octets:", in->stream ? "stream" : "datagram", ours->err, theirs->err,
		    in->len);
	for (size_t i = 0; i < in->len && i < 600; i++)
		print_error(" %02x", in->data[i]);
	print_error("\n");
}

struct tally {
	unsigned accepted, refused, explained, incomplete;
};

static void compare(struct tally *t, const struct input *in, next_fn *next)
{
	coap_pdu_t *pdu = coap_pdu_init(COAP_MESSAGE_CON, COAP_EMPTY_CODE, 0, in->len + 16);
	struct said ours, theirs;
	struct coap_msg m;

	assert_non_null(pdu);
	ask_ours(&ours, &m, in);
	ask_theirs(&theirs, pdu, next, in);
	if (ours.err && theirs.err) {
		t->refused++;
	} else if (!ours.err && !theirs.err && same_parts(&ours, &theirs)) {
		t->accepted++;
	} else {
		size_t i = 0;

		while (i < DIFFERENCES && !differences[i].explains(in, &m, &ours, &theirs))
			i++;
		if (i == DIFFERENCES) {
			print_input(in, &ours, &theirs);
			fail_msg("a difference that no row explains");
		}
		differences[i].seen++;
		t->explained++;
	}
	coap_delete_pdu(pdu);
}

static struct tally run(bool stream)
{
	static uint8_t noise[66000], data[MESSAGE_MAX];
	struct input in = { .data = data };
	struct tally t = { 0 };
	next_fn *next = their_option_next();

	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (uint8_t)below(256);
	for (unsigned i = 0; i < PER_FRAMING; i++) {
		if (stream)
			next_stream(&in, noise);
		else
			next_datagram(&in, noise);
		if (stream && !frame(&in))
			t.incomplete++;
		else
			compare(&t, &in, next);
	}
	print_message(
		"%s: %u compared: %u accepted alike, %u refused by both, %u differ as the table says; %u incomplete\n",
		stream ? "streams" : "datagrams", PER_FRAMING - t.incomplete, t.accepted, t.refused, t.explained,
		t.incomplete);
	return t;
}

static void datagrams_are_parsed_as_libcoap_parses_them(void **state)
{
	struct tally t;

	(void)state;
	seed = 0x2545f4914f6cdd1du;
	t = run(false);
	assert_true(t.accepted > PER_FRAMING / 4 && t.refused > PER_FRAMING / 50);
}

static void streams_are_parsed_as_libcoap_parses_them(void **state)
{
	struct tally t;

	(void)state;
	seed = 0x9e3779b97f4a7c15u;
	t = run(true);
	assert_true(t.accepted > PER_FRAMING / 4 && t.refused > PER_FRAMING / 50);
}

static void every_accepted_difference_was_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < DIFFERENCES; i++) {
		print_message("%7u  %s: %s\n", differences[i].seen, differences[i].name, differences[i].reason);
		assert_true(differences[i].seen > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_are_parsed_as_libcoap_parses_them),
		cmocka_unit_test(streams_are_parsed_as_libcoap_parses_them),
		cmocka_unit_test(every_accepted_difference_was_seen),
	};
	int failed;

	coap_startup();
	coap_set_log_level(LOG_EMERG);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	coap_cleanup();
	return failed;
}
