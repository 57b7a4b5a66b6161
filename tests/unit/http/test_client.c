/* SPDX-License-Identifier: Apache-2.0 */
/* test_client.c - requests against a peer that does what a script says: answers, redirects, lost answers, dead
 * connections */
#include "far.h"

#include <fcntl.h>
#include <time.h>

#include "http/client_internal.h"

/* ---- the usual ---- */

static void say_created(struct line *l, const char *request)
{
	(void)request;
	answer(l, 201, "Content-Type: application/json\r\nLocation: deliveries/7\r\n", "{\"self\":1}");
}

static void a_post_gets_its_answer_with_body_type_and_absolute_location(void **state)
{
	struct outcome o;

	(void)state;
	connect_client(say_created);
	post("/v1/x", "{}", &o);
	assert_int_equal(o.res.outcome, HTTP_ANSWERED);
	assert_int_equal(o.res.status, 201);
	assert_string_equal(o.body, "{\"self\":1}");
	assert_string_equal(o.type, "application/json");
	assert_string_equal(o.location, url("/v1/deliveries/7"));
	assert_string_equal(o.final_url, url("/v1/x"));
	assert_non_null(strstr(far.log, "POST /v1/x HTTP/1.1\r\n"));
	assert_non_null(strstr(far.log, "\r\nContent-Type: application/json\r\n"));
	assert_null(strstr(far.log, "Authorization"));
	assert_null(strstr(far.log, "Expect"));
}

static void say_ok(struct line *l, const char *request)
{
	(void)request;
	answer(l, 200, "", "fine");
}

static void connections_are_kept_and_bounded(void **state)
{
	static struct outcome o[40];

	(void)state;
	connect_client(say_ok);
	for (int i = 0; i < 40; i++)
		post_to(url("/q"), "{}", &o[i]);
	assert_int_equal(http_client_pending(client), 40);
	for (int i = 0; i < 40; i++)
		run_until(is_done, &o[i]);
	assert_int_equal(http_client_pending(client), 0);
	assert_true(far.accepted <= 4);
	assert_int_equal(far.requests, 40);
}

static void every_method_goes_out_as_it_is(void **state)
{
	static const struct {
		enum http_method method;
		const char *body, *line;
	} all[] = {
		{ HTTP_GET, "", "GET /m HTTP/1.1\r\n" },       { HTTP_PUT, "{\"a\":1}", "PUT /m HTTP/1.1\r\n" },
		{ HTTP_PATCH, "{}", "PATCH /m HTTP/1.1\r\n" }, { HTTP_DELETE, "", "DELETE /m HTTP/1.1\r\n" },
		{ HTTP_HEAD, "", "HEAD /m HTTP/1.1\r\n" },     { HTTP_POST, "", "POST /m HTTP/1.1\r\n" },
		{ HTTP_GET, "", "GET /m HTTP/1.1\r\n" },
	};

	(void)state;
	conf.connections = 1;
	connect_client(say_ok);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		const struct http_header lines[] = { { "X-One", "1" } };
		struct http_call_conf c = {
			.method = all[i].method, .url = url("/m"), .body = all[i].body, .headers = lines, .headers_n = 1
		};
		struct outcome o = { 0 };

		far.log[0] = '\0';
		c.len = strlen(all[i].body);
		c.content_type = c.len ? "application/merge-patch+json" : NULL;
		if (all[i].method == HTTP_HEAD)
			c.timeout_ms = 3000;
		assert_int_equal(http_client_call(client, NULL, &c, on_done, &o), 0);
		run_until(is_done, &o);
		assert_int_equal(o.res.outcome, HTTP_ANSWERED);
		assert_int_equal(strncmp(far.log, all[i].line, strlen(all[i].line)), 0);
		assert_non_null(strstr(far.log, "\r\nX-One: 1\r\n"));
		assert_true(!c.len == !strstr(far.log, "Content-Type: application/merge-patch+json"));
		assert_null(strstr(far.log, "x-www-form"));
		if (c.len)
			assert_string_equal(strstr(far.log, "\r\n\r\n") + 4, all[i].body);
	}
}

static void a_full_queue_is_said(void **state)
{
	struct outcome o[3];
	const struct http_call_conf c = { .method = HTTP_GET, .url = url("/q") };

	(void)state;
	conf.queue = 2;
	connect_client(say_ok);
	assert_int_equal(http_client_call(client, NULL, &c, on_done, &o[0]), 0);
	assert_int_equal(http_client_call(client, NULL, &c, on_done, &o[1]), 0);
	assert_int_equal(http_client_call(client, NULL, &c, on_done, &o[2]), -EAGAIN);
}

static void s19_a_url_of_another_end_is_refused(void **state)
{
	static const char *const bad[] = {
		"http://169.254.169.254/latest",
		"http://localhost/x",
		"https://127.0.0.1/x",
		"file:///etc/passwd",
		"ftp://127.0.0.1/",
		"http://u:p@127.0.0.1/",
		"not a url",
		"",
	};
	struct outcome o;
	char text[128];

	(void)state;
	connect_client(say_ok);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const struct http_call_conf c = { .method = HTTP_GET, .url = bad[i] };

		assert_int_equal(http_client_call(client, NULL, &c, on_done, &o), -EINVAL);
	}
	snprintf(text, sizeof text, "HTTP://127.0.0.1:%u/x y", far.port);
	assert_int_equal(http_client_call(client, NULL, &(struct http_call_conf){ .url = text }, on_done, &o), -EINVAL);
	assert_int_equal(far.accepted, 0);
}

static char wanted_auth[200];

static void check_auth(struct line *l, const char *request)
{
	answer(l, strstr(request, wanted_auth) ? 200 : 401, "", "");
}

static void basic_credentials_come_from_the_file(void **state)
{
	struct outcome o;
	const struct http_call_conf bare = { .method = HTTP_GET, .url = url("/"), .no_auth = true };

	(void)state;
	conf.auth = HTTP_AUTH_BASIC;
	conf.user = "gw7";
	conf.password_file = secret_file;
	strcpy(wanted_auth, "\r\nAuthorization: Basic Z3c3OnMzY3ImdD0=\r\n");
	connect_client(check_auth);
	post("/", "{}", &o);
	assert_int_equal(o.res.status, 200);
	memset(&o, 0, sizeof o);
	assert_int_equal(http_client_call(client, NULL, &bare, on_done, &o), 0);
	run_until(is_done, &o);
	assert_int_equal(o.res.status, 401);
	unlink(secret_file);
	post("/", "{}", &o);
	assert_int_equal(o.res.outcome, HTTP_NOT_SENT);
	assert_true(o.res.auth_failed);
}

/* ---- redirects ---- */

static void redirect_once(struct line *l, const char *request)
{
	if (strstr(request, " /old"))
		answer(l, strstr(request, "/old8") ? 308 : 307, "Location: /new?x=1\r\n", "moved");
	else
		answer(l, 200, "", "arrived");
}

static void t8_42_307_and_308_are_followed_with_method_and_body(void **state)
{
	struct outcome o;

	(void)state;
	connect_client(redirect_once);
	post("/old7", "{\"a\":7}", &o);
	assert_int_equal(o.res.status, 200);
	assert_string_equal(o.body, "arrived");
	assert_string_equal(o.final_url, url("/new?x=1"));
	assert_false(o.res.permanent_redirect);
	post("/old8", "{\"a\":8}", &o);
	assert_int_equal(o.res.status, 200);
	assert_true(o.res.permanent_redirect);
	assert_int_equal(count_text(far.log, "POST /new?x=1 HTTP/1.1\r\n"), 2);
	assert_int_equal(count_text(far.log, "{\"a\":7}"), 2);
	assert_int_equal(count_text(far.log, "{\"a\":8}"), 2);
}

static void redirect_for_ever(struct line *l, const char *request)
{
	answer(l, strstr(request, "/a") ? 307 : 308, strstr(request, " /a") ? "Location: /b\r\n" : "Location: /a\r\n",
	       "");
}

static void t8_42_a_loop_stops_after_three_hops(void **state)
{
	struct outcome o;

	(void)state;
	connect_client(redirect_for_ever);
	post("/a", "{}", &o);
	assert_int_equal(o.res.outcome, HTTP_ANSWERED);
	assert_in_range(o.res.status, 307, 308);
	assert_int_equal(far.requests, 4);
	assert_string_equal(o.error, "too many redirects");
}

static const char *target;

static void redirect_to_target(struct line *l, const char *request)
{
	char lines[300];

	(void)request;
	snprintf(lines, sizeof lines, "Location: %s\r\n", target);
	answer(l, 307, lines, "");
}

static void s19_redirects_elsewhere_are_answers_and_nothing_is_sent_there(void **state)
{
	static const char *const bad[] = { "http://169.254.169.254/latest", "http://localhost:1/x",
					   "https://127.0.0.1/x",           "file:///etc/passwd",
					   "http://127.0.0.1:1/x",          "//evil.example/x",
					   "http://u@127.0.0.1/",           "gopher://x/" };
	struct outcome o;

	(void)state;
	connect_client(redirect_to_target);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		unsigned before = far.requests;

		target = bad[i];
		post("/a", "{}", &o);
		assert_int_equal(o.res.outcome, HTTP_ANSWERED);
		assert_int_equal(o.res.status, 307);
		assert_int_equal(far.requests, before + 1);
		assert_true(o.error[0]);
	}
}

static void s19_origins_are_scheme_host_and_port_and_https_never_becomes_http(void **state)
{
	static const char *const in[] = { "https://scef.example:8443/x", "HTTPS://SCEF.example:8443",
					  "https://scef.example:8443?q", "http://other/", "http://other:80/y" };
	static const char *const out[] = { "https://scef.example/x",          "http://scef.example:8443/",
					   "https://scef.example:84430/x",    "https://scef.example:8443.evil/",
					   "https://scef.example:8443@evil/", "https://other/" };
	struct origin *o = NULL;
	size_t n;

	(void)state;
	assert_int_equal(origins_parse(&o, &n, "https://scef.example:8443/root, http://other"), 0);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < sizeof in / sizeof *in; i++)
		assert_true(origins_have(o, n, in[i]));
	for (size_t i = 0; i < sizeof out / sizeof *out; i++)
		assert_false(origins_have(o, n, out[i]));
	origins_free(o, n);
	assert_true(url_is_downgrade("https://a/", "http://a/"));
	assert_false(url_is_downgrade("https://a/", "HTTPS://b/"));
	assert_false(url_is_downgrade("http://a/", "http://b/"));
	assert_int_equal(origins_parse(&o, &n, "https://a ftp://b"), -EINVAL);
}

static void say_moved(struct line *l, const char *request)
{
	(void)request;
	answer(l, 302, "Location: /x\r\n", "");
}

static void other_redirects_are_answers(void **state)
{
	struct outcome o;

	(void)state;
	connect_client(say_moved);
	post("/a", "{}", &o);
	assert_int_equal(o.res.status, 302);
	assert_string_equal(o.location, url("/x"));
	assert_int_equal(far.requests, 1);
}

/* ---- hints ---- */

static const char *hint;

static void say_busy(struct line *l, const char *request)
{
	char lines[200];

	(void)request;
	snprintf(lines, sizeof lines, "Retry-After: %s\r\n", hint);
	answer(l, 503, lines, "");
}

static void t8_41_retry_after_in_seconds_or_as_a_date_is_clamped(void **state)
{
	struct outcome o;
	char date[64];
	time_t at = time(NULL) + 100;

	(void)state;
	connect_client(say_busy);
	hint = "20";
	post("/a", "{}", &o);
	assert_true(o.res.has_retry_after);
	assert_int_equal(o.res.retry_after_ms, 20000);
	hint = "99999999999999999999";
	post("/a", "{}", &o);
	assert_int_equal(o.res.retry_after_ms, 86400000);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&at));
	hint = date;
	post("/a", "{}", &o);
	assert_true(o.res.has_retry_after);
	assert_in_range(o.res.retry_after_ms, 97000, 100000);
	hint = "Fri, 01 Jan 1999 00:00:00 GMT";
	post("/a", "{}", &o);
	assert_true(o.res.has_retry_after);
	assert_int_equal(o.res.retry_after_ms, 0);
	hint = "soon";
	post("/a", "{}", &o);
	assert_false(o.res.has_retry_after);
	hint = "-5";
	post("/a", "{}", &o);
	assert_false(o.res.has_retry_after);
}

/* ---- what is lost ---- */

static void reset_line(struct line *l, const char *request)
{
	(void)request;
	hang_up(l, true);
}

static void close_line(struct line *l, const char *request)
{
	(void)request;
	hang_up(l, false);
}

static void t8_43_a_lost_answer_is_unknown_and_sent_once(void **state)
{
	struct outcome o;

	(void)state;
	connect_client(reset_line);
	post("/a", "{}", &o);
	assert_int_equal(o.res.outcome, HTTP_UNKNOWN);
	assert_true(o.error[0]);
	far.script = close_line;
	post("/a", "{}", &o);
	assert_int_equal(o.res.outcome, HTTP_UNKNOWN);
	run_for(100);
	assert_int_equal(far.requests, 2);
}

static bool second_reset;

static void answer_first_then_drop(struct line *l, const char *request)
{
	(void)request;
	if (l->served == 1)
		answer(l, 200, "", "one");
	else
		hang_up(l, second_reset);
}

static void a_post_on_a_kept_connection_that_dies_is_never_sent_again(void **state)
{
	struct outcome o;

	(void)state;
	connect_client(answer_first_then_drop);
	for (int i = 0; i < 2; i++) {
		unsigned before = far.requests;

		second_reset = i;
		post("/a", "first", &o);
		assert_int_equal(o.res.status, 200);
		post("/a", "second", &o);
		assert_int_equal(o.res.outcome, HTTP_UNKNOWN);
		run_for(100);
		assert_int_equal(far.requests, before + 2);
	}
	assert_int_equal(count_text(far.log, "second"), 2);
}

static void other_methods_that_change_something_are_not_sent_again_either(void **state)
{
	struct outcome o;
	const enum http_method methods[] = { HTTP_DELETE, HTTP_PUT, HTTP_PATCH, HTTP_GET };

	(void)state;
	connect_client(answer_first_then_drop);
	for (int i = 0; i < 4; i++) {
		const struct http_call_conf c = { .method = methods[i], .url = url("/a") };
		unsigned before = far.requests;

		post("/a", "first", &o);
		memset(&o, 0, sizeof o);
		assert_int_equal(http_client_call(client, NULL, &c, on_done, &o), 0);
		run_until(is_done, &o);
		run_for(20);
		if (methods[i] == HTTP_GET) { /* reading again harms nobody */
			assert_int_equal(o.res.outcome, HTTP_ANSWERED);
			assert_int_equal(far.requests, before + 3);
		} else {
			assert_int_equal(o.res.outcome, HTTP_UNKNOWN);
			assert_int_equal(far.requests, before + 2);
		}
	}
}

static void a_connection_closed_while_idle_costs_nothing(void **state)
{
	struct outcome o;

	(void)state;
	connect_client(say_ok);
	for (int i = 0; i < 6; i++) {
		post("/a", "{}", &o);
		assert_int_equal(o.res.outcome, HTTP_ANSWERED);
		assert_int_equal(o.res.status, 200);
		assert_int_equal(far.accepted, i + 1);
		if (i == 3) /* what cannot be an answer: the TLS way to say good-bye looks like that from outside */
			say(far.lines, "\x15\x03\x03");
		else
			hang_up(far.lines, i % 2);
		run_for(5);
	}
	assert_int_equal(far.requests, 6);
}

static void closing_and_posting_in_the_same_moment_is_never_a_second_copy(void **state)
{
	struct outcome o;
	unsigned unknown = 0;

	(void)state;
	connect_client(say_ok);
	for (int i = 0; i < 30; i++) {
		unsigned before = far.requests;

		post("/a", "{}", &o);
		assert_int_equal(o.res.outcome, HTTP_ANSWERED);
		hang_up(far.lines, i % 2); /* the next one comes before the loop has seen anything */
		post("/b", "{}", &o);
		unknown += o.res.outcome == HTTP_UNKNOWN;
		assert_true(far.requests <= before + 2);
		assert_true(o.res.outcome == HTTP_UNKNOWN ||
			    (o.res.outcome == HTTP_ANSWERED && far.requests == before + 2));
	}
	assert_int_equal(unknown, 0); /* the kernel knew before we wrote */
}

static void silence(struct line *l, const char *request)
{
	(void)l;
	(void)request;
}

static void a_request_without_an_answer_in_time_is_unknown(void **state)
{
	struct outcome o;

	(void)state;
	conf.timeout_ms = 200;
	connect_client(silence);
	post("/a", "{}", &o);
	assert_int_equal(o.res.outcome, HTTP_UNKNOWN);
	assert_int_equal(far.requests, 1);
}

static void waiting_for_a_connection_for_too_long_is_not_sent(void **state)
{
	struct outcome a, b;
	const struct http_call_conf c = { .method = HTTP_GET, .url = url("/"), .timeout_ms = 100 };

	(void)state;
	conf.connections = 1;
	conf.timeout_ms = 2000;
	connect_client(silence);
	post_to(url("/a"), "{}", &a);
	memset(&b, 0, sizeof b);
	assert_int_equal(http_client_call(client, NULL, &c, on_done, &b), 0);
	run_until(is_done, &b);
	assert_int_equal(b.res.outcome, HTTP_NOT_SENT);
	run_until(is_done, &a);
	assert_int_equal(a.res.outcome, HTTP_UNKNOWN);
	assert_int_equal(far.requests, 1);
}

static void what_never_left_is_not_sent(void **state)
{
	struct outcome o;

	(void)state;
	connect_client(say_ok);
	loop_unwatch(far.watch);
	far.watch = NULL;
	close(far.fd);
	far.fd = -1;
	post("/a", "{}", &o); /* connection refused */
	assert_int_equal(o.res.outcome, HTTP_NOT_SENT);
	assert_false(o.res.tls_failed);
	http_client_close(client);
	conf.base = "http://nobody.invalid";
	assert_int_equal(http_client_open(&client, loop, &conf), 0);
	post_to("http://nobody.invalid/", "{}", &o);
	run_until(is_done, &o);
	assert_int_equal(o.res.outcome, HTTP_NOT_SENT);
}

static void a_peer_that_does_not_speak_tls_is_not_sent(void **state)
{
	struct outcome o;
	char secure[64];

	(void)state;
	snprintf(secure, sizeof secure, "https://127.0.0.1:%u", far.port);
	conf.base = secure;
	conf.timeout_ms = 500;
	connect_client(silence);
	post_to(secure, "{}", &o);
	run_for(50);
	for (struct line *l = far.lines; l; l = l->next)
		say(l, "HTTP/1.1 400 Bad\r\n\r\n");
	run_until(is_done, &o);
	assert_int_equal(o.res.outcome, HTTP_NOT_SENT);
	assert_true(o.res.tls_failed);
}

static void half_an_answer(struct line *l, const char *request)
{
	(void)request;
	say(l, "HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nhalf");
	hang_up(l, false);
}

static void half_an_answer_is_unknown(void **state)
{
	struct outcome o;

	(void)state;
	connect_client(half_an_answer);
	post("/a", "{}", &o);
	assert_int_equal(o.res.outcome, HTTP_UNKNOWN);
}

/* ---- bodies ---- */

static void say_much(struct line *l, const char *request)
{
	static char body[70000];

	(void)request;
	memset(body, 'x', sizeof body - 1);
	say(l,
	    strstr(request, "/error") ? "HTTP/1.1 500 X\r\nContent-Length: 69999\r\n\r\n"
				      : "HTTP/1.1 200 OK\r\nContent-Length: 69999\r\n\r\n");
	say(l, body);
}

static void an_answer_above_the_limit_is_too_large(void **state)
{
	struct outcome o;

	(void)state;
	connect_client(say_much);
	post("/a", "{}", &o);
	assert_int_equal(o.res.outcome, HTTP_TOO_LARGE);
}

static size_t parts_len, parts_stop;

static int on_part(void *arg, const char *data, size_t len)
{
	(void)arg;
	assert_int_equal(data[0], 'x');
	parts_len += len;
	return parts_stop && parts_len >= parts_stop;
}

static void a_large_list_may_be_taken_in_parts(void **state)
{
	struct outcome o = { 0 };
	const struct http_call_conf c = { .method = HTTP_GET, .url = url("/list"), .part = on_part };
	const struct http_call_conf e = { .method = HTTP_GET, .url = url("/error"), .part = on_part };

	(void)state;
	conf.body_bytes = 100000;
	connect_client(say_much);
	parts_len = parts_stop = 0;
	assert_int_equal(http_client_call(client, NULL, &c, on_done, &o), 0);
	run_until(is_done, &o);
	assert_int_equal(o.res.outcome, HTTP_ANSWERED);
	assert_int_equal(parts_len, 69999);
	assert_int_equal(o.res.len, 0);
	parts_len = 0;
	parts_stop = 1;
	memset(&o, 0, sizeof o);
	assert_int_equal(http_client_call(client, NULL, &c, on_done, &o), 0);
	run_until(is_done, &o);
	assert_int_equal(o.res.outcome, HTTP_TOO_LARGE);
	parts_len = 0;
	memset(&o, 0, sizeof o);
	assert_int_equal(http_client_call(client, NULL, &e, on_done, &o), 0);
	run_until(is_done, &o);
	assert_int_equal(o.res.status, 500);
	assert_int_equal(parts_len, 0); /* an error is collected */
	assert_int_equal(o.res.len, 69999);
}

static struct http_call *running_call;
static unsigned part_does;

static int on_part_end(void *arg, const char *data, size_t len)
{
	(void)arg;
	(void)data;
	(void)len;
	if (part_does == 1)
		http_call_cancel(running_call);
	if (part_does == 2) {
		http_client_close(client);
		client = NULL;
	}
	return 0;
}

static bool no_client_or_calls(const void *arg)
{
	(void)arg;
	return !client || !http_client_pending(client);
}

static void a_call_may_be_cancelled_and_the_client_closed_from_within_a_part(void **state)
{
	struct outcome o = { 0 };
	const struct http_call_conf c = { .method = HTTP_GET, .url = url("/list"), .part = on_part_end };

	(void)state;
	connect_client(say_much);
	for (part_does = 1; part_does <= 2; part_does++) {
		assert_int_equal(http_client_call(client, &running_call, &c, on_done, &o), 0);
		run_until(no_client_or_calls, NULL);
		assert_int_equal(o.n, part_does - 1); /* cancel is silent, close tells */
	}
	assert_int_equal(o.res.outcome, HTTP_CANCELLED);
	run_for(20);
}

/* ---- ends ---- */

static void cancelled_calls_are_silent_and_close_tells_the_rest(void **state)
{
	struct outcome o[4] = { 0 };
	struct http_call *call[4];
	const struct http_call_conf c = { .method = HTTP_GET, .url = url("/") };

	(void)state;
	conf.connections = 2;
	connect_client(silence);
	for (int i = 0; i < 4; i++)
		assert_int_equal(http_client_call(client, &call[i], &c, on_done, &o[i]), 0);
	run_for(50);
	assert_int_equal(far.requests, 2);
	http_call_cancel(call[0]); /* running */
	http_call_cancel(call[3]); /* waiting */
	run_for(50);
	assert_int_equal(far.requests, 3); /* its place went to the next */
	http_client_close(client);
	client = NULL;
	assert_int_equal(o[0].n + o[3].n, 0);
	assert_int_equal(o[1].n, 1);
	assert_int_equal(o[1].res.outcome, HTTP_CANCELLED);
	assert_int_equal(o[2].res.outcome, HTTP_CANCELLED);
}

static void on_done_close(void *arg, const struct http_result *res)
{
	on_done(arg, res);
	http_client_close(client);
	client = NULL;
}

static void the_client_may_be_closed_from_within_done(void **state)
{
	struct outcome o[2] = { 0 };
	const struct http_call_conf c = { .method = HTTP_GET, .url = url("/") };

	(void)state;
	connect_client(say_ok);
	assert_int_equal(http_client_call(client, NULL, &c, on_done_close, &o[0]), 0);
	assert_int_equal(http_client_call(client, NULL, &c, on_done, &o[1]), 0);
	run_until(no_client_or_calls, NULL);
	assert_int_equal(o[0].n, 1);
	assert_int_equal(o[1].n, 1);
}

static bool is_connecting(const void *arg)
{
	(void)arg;
	return client->sockets_n && client->sockets[0].watch;
}

/* Several times, because the number of a socket that is gone comes again at once. */
static void a_client_that_is_closed_or_gives_up_while_it_connects_leaves_nothing(void **state)
{
	struct outcome o;
	int fd = -1;

	(void)state;
	connect_client(say_ok);
	for (int i = 0; i < 3; i++) {
		post_to(url("/a"), "{}", &o);
		run_until(is_connecting, NULL);
		assert_int_equal(client->sockets[0].uses, 0);
		fd = client->sockets[0].fd;
		http_call_cancel(client->running.first);
		assert_int_equal(fcntl(fd, F_GETFD), -1);
		assert_int_equal(client->sockets[0].fd, -1);
	}
	post("/b", "{}", &o);
	assert_int_equal(o.res.status, 200);
	assert_int_equal(client->sockets_n, 1);
	post_to(url("/c"), "{}", &o);
	run_for(0);
	http_client_close(client);
	client = NULL;
	assert_int_equal(http_client_open(&client, loop, &conf), 0);
	post_to(url("/d"), "{}", &o);
	run_until(is_connecting, NULL);
	http_client_close(client); /* while o is still there to be told */
	client = NULL;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_post_gets_its_answer_with_body_type_and_absolute_location),
		T(connections_are_kept_and_bounded),
		T(every_method_goes_out_as_it_is),
		T(a_full_queue_is_said),
		T(s19_a_url_of_another_end_is_refused),
		T(basic_credentials_come_from_the_file),
		T(t8_42_307_and_308_are_followed_with_method_and_body),
		T(t8_42_a_loop_stops_after_three_hops),
		T(s19_redirects_elsewhere_are_answers_and_nothing_is_sent_there),
		T(s19_origins_are_scheme_host_and_port_and_https_never_becomes_http),
		T(other_redirects_are_answers),
		T(t8_41_retry_after_in_seconds_or_as_a_date_is_clamped),
		T(t8_43_a_lost_answer_is_unknown_and_sent_once),
		T(a_post_on_a_kept_connection_that_dies_is_never_sent_again),
		T(other_methods_that_change_something_are_not_sent_again_either),
		T(a_connection_closed_while_idle_costs_nothing),
		T(closing_and_posting_in_the_same_moment_is_never_a_second_copy),
		T(a_request_without_an_answer_in_time_is_unknown),
		T(waiting_for_a_connection_for_too_long_is_not_sent),
		T(what_never_left_is_not_sent),
		T(a_peer_that_does_not_speak_tls_is_not_sent),
		T(half_an_answer_is_unknown),
		T(an_answer_above_the_limit_is_too_large),
		T(a_large_list_may_be_taken_in_parts),
		T(a_call_may_be_cancelled_and_the_client_closed_from_within_a_part),
		T(cancelled_calls_are_silent_and_close_tells_the_rest),
		T(the_client_may_be_closed_from_within_done),
		T(a_client_that_is_closed_or_gives_up_while_it_connects_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
