/* SPDX-License-Identifier: Apache-2.0 */
/* test_admin.c - the admin listener from its callers' side */
#include "unit/control/talk.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "control/conf.h"

static struct world w;
static uint16_t port;

/* A port that is free now; the listener takes it at once. */
static uint16_t free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	close(fd);
	return ntohs(at.sin_port);
}

static void listen_on(uint16_t p)
{
	char listen[32];
	struct admin_conf conf = { .listen = listen };

	snprintf(listen, sizeof listen, "127.0.0.1:%u", p);
	assert_int_equal(control_set_admin(w.control, &conf), 0);
	port = p;
}

static int open_world(void **state)
{
	(void)state;
	world_open(&w);
	control_set_phase(w.control, CONTROL_READY);
	listen_on(free_port());
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&w);
	return 0;
}

static int connect_tcp(uint16_t to)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(to),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof at)) {
		close(fd);
		return -1;
	}
	return fd;
}

struct said {
	const char *send, *unix_path;
	uint16_t port;
	char got[262144];
	size_t len;
};

static void say(void *arg)
{
	struct said *s = arg;
	int fd = s->unix_path ? connect_unix(s->unix_path) : connect_tcp(s->port);

	if (fd >= 0 && send(fd, s->send, strlen(s->send), MSG_NOSIGNAL) == (ssize_t)strlen(s->send))
		s->len = read_all(fd, s->got, sizeof s->got);
	close(fd);
}

static struct said s;

static const char *answer_to(const char *request)
{
	s = (struct said){ .send = request, .port = port };
	talk(w.loop, say, &s);
	return s.got;
}

static int status_of(const char *answer)
{
	int status = -1;

	return sscanf(answer, "HTTP/1.1 %d", &status) == 1 ? status : -1;
}

/* A whole request with that method, path and Host, closed behind the answer. */
static int ask(const char *method, const char *path, const char *host)
{
	char request[512];

	snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", method, path,
		 host);
	return status_of(answer_to(request));
}

static const char *body(void)
{
	const char *at = strstr(s.got, "\r\n\r\n");

	return at ? at + 4 : "";
}

static void every_path_of_the_contract_answers(void **state)
{
	static const char *const paths[] = { "/metrics",       "/healthz",        "/readyz",       "/api/v1/info",
					     "/api/v1/health", "/api/v1/devices", "/api/v1/links", "/api/v1/servers",
					     "/api/v1/alarms", "/api/v1/queue",   "/api/v1/events" };

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		assert_int_equal(ask("GET", paths[i], "localhost"), 200);
}

static void metrics_have_the_prefix_and_the_process(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/metrics", "127.0.0.1:9660"), 200);
	assert_non_null(strstr(s.got, "Content-Type: text/plain; version=0.0.4"));
	assert_non_null(strstr(body(), "\nniddgw_build_info{version=\""));
	assert_non_null(strstr(body(), "\nniddgw_start_time_seconds "));
	assert_non_null(strstr(body(), "\nniddgw_config_reloads_total{result=\"ok\"} "));
	assert_null(strstr(body(), "\nniddgw_rss_bytes 0"));
}

static void ready_only_between_start_and_stop(void **state)
{
	(void)state;
	control_set_phase(w.control, CONTROL_STARTING);
	assert_int_equal(ask("GET", "/readyz", "localhost"), 503);
	assert_int_equal(ask("GET", "/healthz", "localhost"), 200);
	control_set_phase(w.control, CONTROL_STOPPING);
	assert_int_equal(ask("GET", "/readyz", "localhost"), 503);
	control_set_phase(w.control, CONTROL_READY);
	assert_int_equal(ask("GET", "/readyz", "localhost"), 200);
}

/* S44 */
static void only_get_and_head_are_allowed(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE" };

	(void)state;
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		assert_int_equal(ask(methods[i], "/metrics", "localhost"), 405);
	assert_non_null(strstr(s.got, "Allow: GET, HEAD"));
	assert_int_equal(status_of(answer_to("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
					     "5\r\nConnection: close\r\n\r\nhello")),
			 405);
}

static void head_has_the_length_and_no_body(void **state)
{
	(void)state;
	assert_int_equal(ask("HEAD", "/healthz", "localhost"), 200);
	assert_non_null(strstr(s.got, "Content-Length: 3\r\n"));
	assert_string_equal(body(), "");
}

/* S44: a page whose name an attacker pointed at this machine */
static void a_foreign_host_name_is_forbidden(void **state)
{
	static const char *const foreign[] = { "evil.example",
					       "evil.example:9660",
					       "127.0.0.1.evil.example",
					       "192.0.2.7",
					       "localhost.evil.example",
					       "localhost:9660:1",
					       "" };

	(void)state;
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
		assert_int_equal(ask("GET", "/api/v1/devices", foreign[i]), 403);
	assert_int_equal(status_of(answer_to("GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n")), 403);
	assert_int_equal(
		status_of(answer_to(
			"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n")),
		403);
	assert_int_equal(ask("GET", "/healthz", "[::1]:9660"), 200);
	assert_int_equal(ask("GET", "/healthz", "LOCALHOST"), 200);
}

/* S44 */
static void paths_with_dots_are_not_found(void **state)
{
	static const char *const paths[] = {
		"/..",        "/../metrics", "/api/v1/../../metrics", "/metrics/",          "//metrics",
		"/%6detrics", "/page.html",           "/api/v1/devices/",      "/api/v1/devices/..", "/api/v1/devices/%00"
	};

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		assert_int_equal(ask("GET", paths[i], "localhost"), 404);
}

static void the_page_stands_at_the_root(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/", "localhost"), 200);
	assert_non_null(strstr(body(), "page.js"));
	assert_int_equal(ask("GET", "/page.js", "localhost"), 200);
	assert_int_equal(ask("GET", "/page.css", "localhost"), 200);
}

static void devices_come_in_pages(void **state)
{
	struct device devices[3] = { { .status.name = "a" }, { .status.name = "b/c" }, { .status.name = "d" } };
	json_t *page;

	(void)state;
	w.sessions = (struct sessions){ .devices = devices, .n = 3 };
	assert_int_equal(ask("GET", "/api/v1/devices?limit=2", "localhost"), 200);
	page = json_loads(body(), 0, NULL);
	assert_int_equal(json_array_size(json_object_get(page, "items")), 2);
	assert_string_equal(json_string_value(json_object_get(page, "next")), "2");
	json_decref(page);
	assert_int_equal(ask("GET", "/api/v1/devices?cursor=2&limit=2", "localhost"), 200);
	assert_non_null(strstr(body(), "\"next\":null"));
	assert_int_equal(ask("GET", "/api/v1/devices?limit=0", "localhost"), 400);
	assert_int_equal(ask("GET", "/api/v1/devices?limit=1001", "localhost"), 400);
	assert_int_equal(ask("GET", "/api/v1/devices?cursor=-1", "localhost"), 400);
	assert_int_equal(ask("GET", "/api/v1/devices?colour=red", "localhost"), 400);
	assert_int_equal(ask("GET", "/api/v1/devices/b%2Fc", "localhost"), 200);
	assert_int_equal(ask("GET", "/api/v1/devices/x", "localhost"), 404);
	w.sessions = (struct sessions){ 0 };
}

static void a_huge_header_is_refused(void **state)
{
	static char request[20000];
	size_t len = (size_t)snprintf(request, sizeof request, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ");

	(void)state;
	memset(request + len, 'x', sizeof request - 1 - len);
	assert_int_not_equal(status_of(answer_to(request)), 200);
	assert_int_equal(ask("GET", "/healthz", "localhost"), 200);
}

struct crowd {
	int fd[40];
	char got[4096];
};

/* Forty silent connections, then all go and one asks. */
static void crowd_in(void *arg)
{
	struct crowd *c = arg;
	static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
	int fd;

	for (size_t i = 0; i < 40; i++)
		c->fd[i] = connect_tcp(port);
	for (size_t i = 0; i < 40; i++)
		close(c->fd[i]);
	fd = connect_tcp(port);
	if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1)
		read_all(fd, c->got, sizeof c->got);
	close(fd);
}

static void a_crowd_waits_outside_and_is_let_in_later(void **state)
{
	static struct crowd c;

	(void)state;
	talk(w.loop, crowd_in, &c);
	assert_int_equal(status_of(c.got), 200);
}

static void connections_leave_no_descriptor_behind(void **state)
{
	int before, after;

	(void)state;
	ask("GET", "/healthz", "localhost");
	ask("GET", "/healthz", "localhost");
	before = dup(0);
	close(before);
	for (int i = 0; i < 100; i++)
		assert_int_equal(ask("GET", "/healthz", "localhost"), 200);
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

static void ask_status(void *arg)
{
	char *got = arg, path[80];
	int fd;

	snprintf(path, sizeof path, "%s/ctl", w.dir);
	fd = connect_unix(path);
	if (send(fd, "{\"verb\":\"status\"}\n", 18, MSG_NOSIGNAL) == 18 && !shutdown(fd, SHUT_WR))
		read_all(fd, got, 4096);
	close(fd);
}

/* The next connection of another kind gets the number of a descriptor that HTTP has just given back. */
static void a_descriptor_number_that_http_gave_back_is_good_for_others(void **state)
{
	char got[4096];

	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(ask("GET", "/healthz", "localhost"), 200);
		talk(w.loop, ask_status, got);
		assert_non_null(strstr(got, "gw7"));
	}
}

static void another_address_is_bound_before_the_old_one_goes(void **state)
{
	uint16_t old = port, fresh = free_port();

	(void)state;
	listen_on(fresh);
	assert_int_equal(ask("GET", "/healthz", "localhost"), 200);
	assert_int_equal(connect_tcp(old), -1);
}

static void an_address_in_use_leaves_the_old_listener(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof at;
	char listen_at[32];
	struct admin_conf conf = { .listen = listen_at };

	(void)state;
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, len) | listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(listen_at, sizeof listen_at, "127.0.0.1:%u", ntohs(at.sin_port));
	assert_int_equal(control_set_admin(w.control, &conf), -EADDRINUSE);
	assert_int_equal(ask("GET", "/healthz", "localhost"), 200);
	close(fd);
}

static void a_unix_socket_serves_any_host_name(void **state)
{
	char path[80];
	struct stat st;
	struct admin_conf conf = { .listen = "unix:admin", .unix_path = path };

	(void)state;
	snprintf(path, sizeof path, "%s/admin", w.dir);
	assert_int_equal(control_set_admin(w.control, &conf), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	s = (struct said){ .send = "GET /healthz HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n",
			   .unix_path = path };
	talk(w.loop, say, &s);
	assert_int_equal(status_of(s.got), 200);
	listen_on(free_port());
	assert_int_not_equal(access(path, F_OK), 0);
}

static void off_closes_the_listener(void **state)
{
	struct admin_conf conf = { .listen = "off" };

	(void)state;
	assert_int_equal(control_set_admin(w.control, &conf), 0);
	assert_int_equal(control_set_admin(w.control, &conf), 0);
	assert_int_equal(connect_tcp(port), -1);
	listen_on(free_port());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_path_of_the_contract_answers),
		cmocka_unit_test(metrics_have_the_prefix_and_the_process),
		cmocka_unit_test(ready_only_between_start_and_stop),
		cmocka_unit_test(only_get_and_head_are_allowed),
		cmocka_unit_test(head_has_the_length_and_no_body),
		cmocka_unit_test(a_foreign_host_name_is_forbidden),
		cmocka_unit_test(paths_with_dots_are_not_found),
		cmocka_unit_test(the_page_stands_at_the_root),
		cmocka_unit_test(devices_come_in_pages),
		cmocka_unit_test(a_huge_header_is_refused),
		cmocka_unit_test(a_crowd_waits_outside_and_is_let_in_later),
		cmocka_unit_test(connections_leave_no_descriptor_behind),
		cmocka_unit_test(a_descriptor_number_that_http_gave_back_is_good_for_others),
		cmocka_unit_test(another_address_is_bound_before_the_old_one_goes),
		cmocka_unit_test(an_address_in_use_leaves_the_old_listener),
		cmocka_unit_test(a_unix_socket_serves_any_host_name),
		cmocka_unit_test(off_closes_the_listener),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
