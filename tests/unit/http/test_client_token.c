/* SPDX-License-Identifier: Apache-2.0 */
/* test_client_token.c - the token of a peer: shared, renewed, held back, given up */
#include "far.h"

#include "http/client_internal.h"

static struct {
	unsigned fetches, answers, refusals;
	const char *fetch_answer; /* whole answer of the token end; NULL: tokens tok1, tok2 .. with `life` */
	const char *life;
	bool hold_fetch;
	struct line *held;
	char good[32]; /* what the peer takes; "" all, "-" none */
	unsigned results_good, results_bad;
} end;

static void give_token(struct line *l)
{
	char body[256];

	snprintf(body, sizeof body, "{\"access_token\":\"tok%u\",\"token_type\":\"Bearer\"%s%s}", end.fetches,
		 end.life ? ",\"expires_in\":" : "", end.life ? end.life : "");
	answer(l, 200, "Content-Type: application/json\r\n", body);
}

static void peer_and_token(struct line *l, const char *request)
{
	char line[64];

	if (strstr(request, "POST /token")) {
		end.fetches++;
		if (end.hold_fetch)
			end.held = l;
		else if (end.fetch_answer)
			say(l, end.fetch_answer);
		else
			give_token(l);
		return;
	}
	snprintf(line, sizeof line, "\r\nAuthorization: Bearer %s\r\n", end.good);
	if (!end.good[0] || strstr(request, line)) {
		end.answers++;
		answer(l, 201, "", "ok");
	} else {
		end.refusals++;
		answer(l, 401, "", "");
	}
}

static void on_token(void *arg, bool ok)
{
	(void)arg;
	end.results_good += ok;
	end.results_bad += !ok;
}

static int token_setup(void **state)
{
	int err = setup(state);

	memset(&end, 0, sizeof end);
	conf.auth = HTTP_AUTH_OAUTH2;
	conf.token_url = strdup(url("/token"));
	conf.client_id = "gw 7";
	conf.client_secret_file = secret_file;
	conf.scope = "nidd";
	return err;
}

static int token_teardown(void **state)
{
	free((char *)(uintptr_t)conf.token_url);
	return teardown(state);
}

static void open_it(void)
{
	connect_client(peer_and_token);
	http_client_on_token(client, on_token, NULL);
}

static bool has_fetches(const void *arg)
{
	return end.fetches >= *(const unsigned *)arg;
}

static void wait_fetches(unsigned n)
{
	run_until(has_fetches, &n);
}

static void a_token_is_fetched_once_for_all_that_wait(void **state)
{
	static struct outcome o[30];

	(void)state;
	end.hold_fetch = true;
	open_it();
	assert_int_equal(http_client_token(client), HTTP_TOKEN_NONE);
	for (int i = 0; i < 30; i++)
		post_to(url("/d"), "{}", &o[i]);
	wait_fetches(1);
	run_for(50);
	assert_int_equal(end.fetches, 1);
	assert_int_equal(end.answers, 0);
	assert_int_equal(http_client_token(client), HTTP_TOKEN_WAITING);
	assert_int_equal(http_client_pending(client), 30);
	give_token(end.held);
	for (int i = 0; i < 30; i++) {
		run_until(is_done, &o[i]);
		assert_int_equal(o[i].res.status, 201);
	}
	assert_int_equal(end.fetches, 1);
	assert_int_equal(http_client_token(client), HTTP_TOKEN_GOOD);
	assert_int_equal(end.results_good, 1);
	assert_non_null(
		strstr(far.log, "grant_type=client_credentials&scope=nidd&client_id=gw%207&client_secret=s3cr%26t%3D"));
	assert_non_null(strstr(far.log, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
	assert_non_null(strstr(far.log, "\r\nAuthorization: Bearer tok1\r\n"));
}

static void client_credentials_may_go_as_basic(void **state)
{
	struct outcome o;

	(void)state;
	conf.token_auth_basic = true;
	open_it();
	post("/d", "{}", &o);
	assert_int_equal(o.res.status, 201);
	assert_non_null(strstr(far.log, "Authorization: Basic Z3cgNzpzM2NyJnQ9\r\n"));
	assert_null(strstr(far.log, "client_secret"));
}

static void t8_38_one_refresh_shared_by_all_that_got_401_and_each_resent_once(void **state)
{
	static struct outcome o[12];
	struct outcome first;

	(void)state;
	strcpy(end.good, "tok1");
	conf.connections = 8;
	open_it();
	post("/d", "{}", &first);
	assert_int_equal(first.res.status, 201);
	strcpy(end.good, "tok2"); /* the peer has forgotten the first one */
	for (int i = 0; i < 12; i++)
		post_to(url("/d"), "{}", &o[i]);
	for (int i = 0; i < 12; i++) {
		run_until(is_done, &o[i]);
		assert_int_equal(o[i].res.status, 201);
	}
	assert_int_equal(end.fetches, 2);
	assert_true(end.refusals <= 8); /* only those that were on their way */
	assert_int_equal(end.answers, 13);
}

static void t8_38_a_second_401_is_an_answer_and_no_storm_of_tokens_follows(void **state)
{
	struct outcome o;

	(void)state;
	strcpy(end.good, "-");
	open_it();
	for (int i = 0; i < 20; i++) {
		post("/d", "{}", &o);
		assert_int_equal(o.res.outcome, HTTP_ANSWERED);
		assert_int_equal(o.res.status, 401);
	}
	assert_true(end.fetches <= 5);
	assert_true(end.refusals <= 25);
}

static void t8_40_credentials_refused_twice_are_not_tried_again(void **state)
{
	struct outcome a, b, c;

	(void)state;
	end.fetch_answer = "HTTP/1.1 400 Bad\r\nContent-Length: 26\r\n\r\n{\"error\":\"invalid_client\"}";
	open_it();
	post_to(url("/d"), "{}", &a);
	post_to(url("/d"), "{}", &b);
	run_until(is_done, &a);
	run_until(is_done, &b);
	assert_int_equal(end.fetches, 2);
	assert_int_equal(a.res.outcome, HTTP_NOT_SENT);
	assert_true(a.res.auth_failed && b.res.auth_failed);
	assert_int_equal(http_client_token(client), HTTP_TOKEN_REFUSED);
	post("/d", "{}", &c); /* at once, and nothing is asked any more */
	assert_true(c.res.auth_failed);
	assert_non_null(strstr(c.error, "invalid_client"));
	run_for(1500);
	assert_int_equal(end.fetches, 2);
	assert_int_equal(end.answers, 0);
	assert_int_equal(end.results_bad, 2);
	end.fetch_answer = NULL;
	http_client_token_retry(client);
	post("/d", "{}", &c);
	assert_int_equal(c.res.status, 201);
	assert_null(strstr(c.error, "s3cr"));
}

static void s48_html_from_the_token_end_is_held_back_and_then_tried_again(void **state)
{
	struct outcome o;

	(void)state;
	end.fetch_answer =
		"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 28\r\n\r\n<html>maintenance</html>    ";
	open_it();
	post_to(url("/d"), "{}", &o);
	run_for(500);
	assert_int_equal(end.fetches, 1); /* the first pause is at least 750 ms */
	assert_int_equal(http_client_token(client), HTTP_TOKEN_WAITING);
	end.fetch_answer = NULL;
	run_until(is_done, &o);
	assert_int_equal(o.res.status, 201);
	assert_int_equal(end.fetches, 2);
}

static void s48_a_token_of_a_mebibyte_is_not_taken(void **state)
{
	struct outcome o;

	(void)state;
	conf.timeout_ms = 400;
	end.fetch_answer = "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n{\"access_token\":\"";
	open_it();
	post_to(url("/d"), "{}", &o);
	wait_fetches(1);
	for (int i = 0; i < 1024; i++) {
		static char kib[1025];

		memset(kib, 'a', 1024);
		for (struct line *l = far.lines; l; l = l->next)
			if (l->fd >= 0)
				send(l->fd, kib, 1024, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	run_until(is_done, &o);
	assert_int_equal(o.res.outcome, HTTP_NOT_SENT);
	assert_int_equal(end.answers, 0);
	assert_true(end.fetches <= 2);
}

static void s48_expires_in_is_clamped(void **state)
{
	static const struct {
		const char *life;
		uint64_t least_s, most_s; /* of what is left */
	} rows[] = {
		{ NULL, 3599, 3600 },    { "0", 9, 10 },         { "-5", 9, 10 },          { "1e12", 86399, 86400 },
		{ "\"120\"", 119, 120 }, { "null", 3599, 3600 }, { "3600.5", 3599, 3600 }, { "0.25", 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct outcome o;
		uint64_t left;

		end.life = rows[i].life;
		open_it();
		post("/d", "{}", &o);
		assert_int_equal(o.res.status, 201);
		clock_tick();
		left = (client->token.expires_ms - clock_now_ms()) / 1000;
		assert_in_range(left, rows[i].least_s, rows[i].most_s);
		http_client_close(client);
	}
	client = NULL;
	assert_int_equal(end.fetches, sizeof rows / sizeof *rows);
}

static void a_token_is_renewed_at_four_fifths_of_its_life_without_waiting(void **state)
{
	struct outcome o;

	(void)state;
	end.life = "2";
	open_it();
	post("/d", "{}", &o);
	run_for(1000);
	post("/d", "{}", &o);
	assert_int_equal(end.fetches, 1);
	run_for(700);
	end.hold_fetch = true;
	post("/d", "{}", &o); /* goes with the old one; the new one is being fetched */
	assert_int_equal(o.res.status, 201);
	wait_fetches(2);
	assert_int_equal(count_text(far.log, "Bearer tok1"), 3);
	end.hold_fetch = false;
	give_token(end.held);
	run_for(400);
	post("/d", "{}", &o);
	assert_int_equal(count_text(far.log, "Bearer tok2"), 1);
	assert_int_equal(end.fetches, 2);
}

static void t8_39_calls_wait_for_the_token_end_within_their_time(void **state)
{
	struct outcome o;

	(void)state;
	conf.timeout_ms = 300;
	end.fetch_answer = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n";
	open_it();
	post("/d", "{}", &o);
	assert_int_equal(o.res.outcome, HTTP_NOT_SENT);
	assert_false(o.res.auth_failed);
	assert_non_null(strstr(o.error, "503"));
	assert_int_equal(end.fetches, 1);
	end.fetch_answer = NULL;
	conf.timeout_ms = 5000;
	run_for(900);
	post("/d", "{}", &o);
	assert_int_equal(o.res.status, 201); /* recovers alone */
}

static void a_missing_secret_file_is_no_refusal(void **state)
{
	struct outcome o;

	(void)state;
	conf.timeout_ms = 300;
	unlink(secret_file);
	open_it();
	post("/d", "{}", &o);
	assert_int_equal(o.res.outcome, HTTP_NOT_SENT);
	assert_int_equal(http_client_token(client), HTTP_TOKEN_WAITING);
	assert_int_equal(far.requests, 0);
}

static void a_call_without_credentials_needs_no_token(void **state)
{
	struct outcome o = { 0 };
	const struct http_call_conf c = { .method = HTTP_GET, .url = url("/d"), .no_auth = true };

	(void)state;
	end.hold_fetch = true;
	open_it();
	assert_int_equal(http_client_call(client, NULL, &c, on_done, &o), 0);
	run_until(is_done, &o);
	assert_int_equal(o.res.status, 201);
	assert_int_equal(end.fetches, 0);
}

static void close_while_a_token_is_fetched_cancels_all(void **state)
{
	struct outcome o;

	(void)state;
	end.hold_fetch = true;
	open_it();
	post_to(url("/d"), "{}", &o);
	wait_fetches(1);
	http_client_close(client);
	client = NULL;
	assert_int_equal(o.res.outcome, HTTP_CANCELLED);
	assert_int_equal(end.results_good + end.results_bad, 0);
}

/* ---- the parser of the answer ---- */

static void token_answers_are_read_and_malformed_ones_are_not(void **state)
{
	static const struct {
		const char *text, *token; /* NULL: -EBADMSG; "": none */
	} rows[] = {
		{ "{\"access_token\":\"abc\"}", "abc" },
		{ " { \"x\" : [1,{\"y\":\"}\"}] , \"access_token\" : \"a-b.c\\u005f\\/\" , \"token_type\":\"bearer\" } "
		  "\n",
		  "a-b.c_/" },
		{ "{}", "" },
		{ "{\"error\":\"invalid_client\",\"error_description\":\"no \\\"such\\\" client\"}", "" },
		{ "{\"access_token\":\"a\",\"access_token\":\"b\"}", NULL },
		{ "{\"access_token\":\"a\",\"token_type\":\"mac\",\"token_type\":\"bearer\"}", NULL },
		{ "{\"access_token\":\"a b\"}", NULL },
		{ "{\"access_token\":\"a\\r\\nX: y\"}", NULL },
		{ "{\"access_token\":\"\\u0000\"}", NULL },
		{ "{\"access_token\":\"\"}", NULL },
		{ "{\"access_token\":1}", NULL },
		{ "{\"access_token\":\"a\"", NULL },
		{ "{\"access_token\":\"a\"}x", NULL },
		{ "{\"access_token\":\"a\",\"expires_in\":\"soon\"}", NULL },
		{ "{\"access_token\":\"a\",\"expires_in\":nan}", NULL },
		{ "[\"access_token\"]", NULL },
		{ "<html>", NULL },
		{ "", NULL },
		{ "{\"x\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]],\"access_token\":\"a\"}", NULL },
		{ "{\"x\":[},\"access_token\":\"a\"}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct token_answer a;
		int err = token_answer_parse(&a, rows[i].text, strlen(rows[i].text));

		assert_int_equal(err, rows[i].token ? 0 : -EBADMSG);
		if (rows[i].token && rows[i].token[0])
			assert_string_equal(a.token, rows[i].token);
		else
			assert_null(a.token);
		free(a.token);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, token_setup, token_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_token_is_fetched_once_for_all_that_wait),
		T(client_credentials_may_go_as_basic),
		T(t8_38_one_refresh_shared_by_all_that_got_401_and_each_resent_once),
		T(t8_38_a_second_401_is_an_answer_and_no_storm_of_tokens_follows),
		T(t8_40_credentials_refused_twice_are_not_tried_again),
		T(s48_html_from_the_token_end_is_held_back_and_then_tried_again),
		T(s48_a_token_of_a_mebibyte_is_not_taken),
		T(s48_expires_in_is_clamped),
		T(a_token_is_renewed_at_four_fifths_of_its_life_without_waiting),
		T(t8_39_calls_wait_for_the_token_end_within_their_time),
		T(a_missing_secret_file_is_no_refusal),
		T(a_call_without_credentials_needs_no_token),
		T(close_while_a_token_is_fetched_cancels_all),
		cmocka_unit_test(token_answers_are_read_and_malformed_ones_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
