/* SPDX-License-Identifier: Apache-2.0 */
/* multi.c - libcurl's multi interface on the loop, and its sockets
 *
 * libcurl says which descriptors and which moment it waits for; the loop tells it. Sockets are opened and closed by us,
 * so that we know them: before a request is written on a kept connection we look whether the peer has closed it.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "http/client_internal.h"

/* ---- what is finished ---- */

static void reap(struct http_client *c)
{
	CURLMsg *m;
	int left;

	while (!c->closing && (m = curl_multi_info_read(c->multi, &left))) {
		struct http_call *call = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		call_finished(call, code);
	}
}

static void act(struct http_client *c, curl_socket_t fd, int what)
{
	int running;

	client_enter(c);
	c->in_curl = true;
	curl_multi_socket_action(c->multi, fd, what, &running);
	c->in_curl = false;
	reap(c);
	client_sweep(c);
	client_leave(c);
}

void multi_perform(struct http_client *c)
{
	act(c, CURL_SOCKET_TIMEOUT, 0);
}

/* ---- events ---- */

static struct client_socket *place(struct http_client *c, int fd)
{
	for (size_t i = 0; i < c->sockets_n; i++)
		if (c->sockets[i].fd == fd)
			return &c->sockets[i];
	return NULL;
}

static void on_ready(void *arg, int fd, unsigned what)
{
	struct http_client *c = arg;
	struct client_socket *s = place(c, fd);

	if (s && !s->wanted) { /* closed, or in disorder: that is looked at before the connection is used again */
		loop_rewatch(s->watch, 0);
		return;
	}
	act(c, fd, (what & LOOP_READ ? CURL_CSELECT_IN : 0) | (what & LOOP_WRITE ? CURL_CSELECT_OUT : 0));
}

/* One of a connection stays watched for reading while the connection idles: libcurl gives its interest up after each
 * answer and takes it again with the next request. Not one that never carried a request: libcurl may have closed it
 * without a word to on_close_socket(). */
static int on_socket_interest(struct http_client *c, struct client_socket *s, unsigned events)
{
	s->wanted = events != 0;
	if (!events && !s->uses) {
		loop_unwatch(s->watch);
		s->watch = NULL;
		if (fcntl(s->fd, F_GETFD) < 0)
			s->fd = -1;
		return 0;
	}
	if (s->watch)
		return loop_rewatch(s->watch, events ? events : LOOP_READ) ? -1 : 0;
	return events && loop_watch(c->loop, &s->watch, s->fd, events, on_ready, c) ? -1 : 0;
}

static int on_interest(CURL *easy, curl_socket_t fd, int what, void *arg, void *watched)
{
	struct http_client *c = arg;
	struct client_socket *s = place(c, fd);
	struct loop_fd *w = watched;
	unsigned events = (what & CURL_POLL_IN ? LOOP_READ : 0u) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0u);
	int err;

	(void)easy;
	if (s)
		return on_socket_interest(c, s, events);
	if (what == CURL_POLL_REMOVE) { /* of a name look-up */
		loop_unwatch(w);
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (w)
		return loop_rewatch(w, events) ? -1 : 0;
	err = loop_watch(c->loop, &w, fd, events, on_ready, c);
	if (!err)
		curl_multi_assign(c->multi, fd, w);
	return err ? -1 : 0;
}

static void on_multi_timer(struct timer *t, uint64_t now_ms)
{
	(void)now_ms;
	multi_perform(container_of(t, struct http_client, multi_timer));
}

static int on_moment(CURLM *multi, long ms, void *arg)
{
	struct http_client *c = arg;

	(void)multi;
	if (ms < 0)
		timer_cancel(loop_timers(c->loop), &c->multi_timer);
	else
		timer_set(loop_timers(c->loop), &c->multi_timer, clock_now_ms() + (uint64_t)ms, on_multi_timer);
	return 0;
}

/* ---- sockets ---- */

curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *sa)
{
	struct http_client *c = arg;
	int fd = socket(sa->family, sa->socktype | SOCK_CLOEXEC, sa->protocol);
	struct client_socket *s = fd < 0 ? NULL : place(c, fd), *grown; /* left by one that is gone */

	(void)purpose;
	if (!s)
		s = place(c, -1);
	if (fd >= 0 && !s) {
		grown = realloc(c->sockets, (c->sockets_n + 1) * sizeof *grown);
		if (!grown) {
			close(fd);
			return CURL_SOCKET_BAD;
		}
		c->sockets = grown;
		s = &grown[c->sockets_n++];
	}
	if (fd < 0)
		return CURL_SOCKET_BAD;
	*s = (struct client_socket){ .fd = fd };
	return fd;
}

int on_close_socket(void *arg, curl_socket_t fd)
{
	struct client_socket *s = place(arg, fd);

	if (s) {
		loop_unwatch(s->watch);
		*s = (struct client_socket){ .fd = -1 };
	}
	return close(fd);
}

static int port_of(struct client_socket *s)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	struct addr a;

	if (!s->port && !getsockname(s->fd, (struct sockaddr *)&sa, &len)) {
		addr_from(&a, (struct sockaddr *)&sa, len);
		s->port = addr_port(&a);
	}
	return s->port;
}

struct client_socket *client_socket_of(struct http_client *c, int local_port)
{
	for (size_t i = 0; i < c->sockets_n && local_port; i++)
		if (c->sockets[i].fd >= 0 && port_of(&c->sockets[i]) == local_port)
			return &c->sockets[i];
	return NULL;
}

/* ---- opening and closing ---- */

int multi_open(struct http_client *c)
{
	long most = (long)c->conf.connections;

	c->multi = curl_multi_init();
	if (!c->multi)
		return -ENOMEM;
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_interest);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_moment);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, most);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, most + 1); /* and the token end's */
	return 0;
}

void multi_close(struct http_client *c)
{
	if (c->multi)
		curl_multi_cleanup(c->multi);
	c->multi = NULL;
	timer_cancel(loop_timers(c->loop), &c->multi_timer);
	free(c->sockets);
	c->sockets = NULL;
	c->sockets_n = 0;
}
