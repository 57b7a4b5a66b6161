/* SPDX-License-Identifier: Apache-2.0 */
/* end.c - a CoAP end on libcoap */
#include "sim/end.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/timer.h"
#include "sim/console.h"

#define REMEMBERED 8192 /* answered requests, for duplicates */
#define MTU 1472        /* libcoap's read buffer */

struct seen_key {
	const void *session;
	uint16_t mid;
	uint8_t token_len;
	uint8_t token[8];
};

/* An answer that is remembered for duplicates, or on its way as a separate response. */
struct seen {
	struct map_node node;
	struct seen_key key;
	struct end *end;
	struct timer timer;      /* of a delayed answer */
	coap_session_t *session; /* referenced while the timer runs */
	struct end_out out;      /* its pointers lead into text and payload below */
	bool separate;
	char *location;   /* owned */
	uint8_t *payload; /* owned */
};

struct end {
	struct loop *loop;
	const struct end_ops *ops;
	void *arg;
	coap_context_t *ctx;
	struct loop_fd *watch;
	struct loop_hook hook;
	bool touched;
	struct map seen;
	struct seen **ring; /* owned, REMEMBERED entries */
	size_t next;
};

static void end_address(const coap_address_t *from, struct addr *a)
{
	if (from)
		addr_from(a, &from->addr.sa, from->size);
	else
		memset(a, 0, sizeof *a);
}

void end_remote(const coap_session_t *s, struct addr *a)
{
	end_address(coap_session_get_addr_remote(s), a);
}

void end_local(const coap_session_t *s, struct addr *a)
{
	end_address(coap_session_get_addr_local(s), a);
}

/* ---- sending ---- */

struct end_out end_out(uint8_t type, uint8_t code)
{
	return (struct end_out){ .type = type,
				 .code = code,
				 .mid = -1,
				 .content_format = -1,
				 .accept = -1,
				 .observe = -1,
				 .block1 = -1,
				 .block2 = -1,
				 .size1 = -1,
				 .size2 = -1 };
}

#define OPTIONS_MAX 64
struct options {
	struct end_option list[OPTIONS_MAX];
	uint8_t numbers[8][4]; /* values of the numeric ones */
	size_t n, numeric;
	bool full;
};

static void put(struct options *o, uint16_t number, const void *value, size_t len)
{
	size_t at = o->n;

	if (o->n == OPTIONS_MAX || len > UINT16_MAX) {
		o->full = true;
		return;
	}
	for (; at > 0 && o->list[at - 1].number > number; at--)
		o->list[at] = o->list[at - 1];
	o->list[at] = (struct end_option){ number, (uint16_t)len, value };
	o->n++;
}

static void put_uint(struct options *o, uint16_t number, int32_t value)
{
	uint8_t *p;

	if (value < 0)
		return;
	p = o->numbers[o->numeric++];
	put(o, number, p, coap_encode_var_safe(p, 4, (unsigned)value));
}

static void put_parts(struct options *o, uint16_t number, const char *text, char by)
{
	while (text && *text) {
		size_t len = strcspn(text, (const char[]){ by, '\0' });

		if (len || by == '&')
			put(o, number, text, len);
		text += len + (text[len] == by);
	}
}

static int add_options(coap_pdu_t *pdu, const struct end_out *m)
{
	struct options o = { .n = 0 };

	put_parts(&o, COAP_OPTION_LOCATION_PATH, m->location, '/');
	put_parts(&o, COAP_OPTION_URI_PATH, m->path, '/');
	put_parts(&o, COAP_OPTION_URI_QUERY, m->query, '&');
	put_uint(&o, COAP_OPTION_OBSERVE, m->observe);
	put_uint(&o, COAP_OPTION_CONTENT_FORMAT, m->content_format);
	put_uint(&o, COAP_OPTION_ACCEPT, m->accept);
	put_uint(&o, COAP_OPTION_BLOCK1, m->block1);
	put_uint(&o, COAP_OPTION_BLOCK2, m->block2);
	put_uint(&o, COAP_OPTION_SIZE1, m->size1);
	put_uint(&o, COAP_OPTION_SIZE2, m->size2);
	for (size_t i = 0; i < m->extra_n; i++)
		put(&o, m->extra[i].number, m->extra[i].value, m->extra[i].len);
	for (size_t i = 0; i < o.n && !o.full; i++) {
		/* It returns the octets it took, at least one. */
		if (!coap_add_option(pdu, o.list[i].number, o.list[i].len, o.list[i].value))
			o.full = true;
	}
	return o.full ? -EIO : 0;
}

static coap_pdu_t *build(coap_session_t *s, const struct end_out *m)
{
	coap_mid_t mid = m->mid < 0 ? coap_new_message_id(s) : (coap_mid_t)m->mid;
	coap_pdu_t *pdu = coap_pdu_init((coap_pdu_type_t)m->type, (coap_pdu_code_t)m->code, mid, m->len + 2048);

	if (!pdu)
		return NULL;
	if ((m->token_len && !coap_add_token(pdu, m->token_len, m->token)) || add_options(pdu, m) ||
	    (m->len && !coap_add_data(pdu, m->len, m->payload))) {
		coap_delete_pdu(pdu);
		return NULL;
	}
	return pdu;
}

int end_send(struct end *e, coap_session_t *s, const struct end_out *m)
{
	coap_pdu_t *pdu = build(s, m);

	e->touched = true;
	if (!pdu || coap_send(s, pdu) == COAP_INVALID_MID)
		return -EIO;
	return 0;
}

/* ---- requests: duplicates and answers ---- */

static bool seen_eq(const struct map_node *n, const void *key, size_t len)
{
	return !memcmp(&container_of(n, const struct seen, node)->key, key, len);
}

static struct seen_key key_of(coap_session_t *s, const coap_pdu_t *req)
{
	coap_bin_const_t token = coap_pdu_get_token(req);
	struct seen_key k;

	memset(&k, 0, sizeof k); /* the padding is compared too */
	k.session = s;
	k.mid = (uint16_t)coap_pdu_get_mid(req);
	k.token_len = (uint8_t)(token.length > 8 ? 8 : token.length);
	memcpy(k.token, token.s, k.token_len);
	return k;
}

static void seen_free(struct seen *x)
{
	if (!x)
		return;
	timer_cancel(loop_timers(x->end->loop), &x->timer);
	if (x->session)
		coap_session_release(x->session);
	map_remove(&x->end->seen, &x->node);
	free(x->location);
	free(x->payload);
	free(x);
}

static void on_delayed(struct timer *t, uint64_t now_ms)
{
	struct seen *x = container_of(t, struct seen, timer);
	coap_session_t *s = x->session;

	(void)now_ms;
	x->session = NULL;
	end_send(x->end, s, &x->out);
	coap_session_release(s);
}

/* Keep the answer: its pointers are made to lead into copies. */
static struct seen *remember(struct end *e, const struct seen_key *key, const struct end_out *out)
{
	struct seen *x = calloc(1, sizeof *x);

	if (!x)
		return NULL;
	x->key = *key;
	x->end = e;
	x->out = *out;
	x->out.path = x->out.query = NULL;
	x->out.extra_n = 0;
	x->location = out->location ? strdup(out->location) : NULL;
	x->payload = out->len ? malloc(out->len) : NULL;
	if (x->payload)
		memcpy(x->payload, out->payload, out->len);
	else
		x->out.len = 0;
	x->out.location = x->location;
	x->out.payload = x->payload;
	if (map_add(&e->seen, &x->node, map_hash(key, sizeof *key))) {
		free(x->location);
		free(x->payload);
		free(x);
		return NULL;
	}
	seen_free(e->ring[e->next]);
	e->ring[e->next] = x;
	e->next = (e->next + 1) % REMEMBERED;
	return x;
}

static void fill(coap_pdu_t *resp, const struct end_out *m)
{
	coap_pdu_set_code(resp, (coap_pdu_code_t)m->code);
	if (!m->code)
		return;
	add_options(resp, m);
	if (m->len)
		coap_add_data(resp, m->len, m->payload);
}

static void answer_later(struct end *e, coap_session_t *s, struct seen *x, const coap_pdu_t *req)
{
	x->separate = true;
	x->out.type = coap_pdu_get_type(req) == COAP_MESSAGE_NON ? COAP_MESSAGE_NON : COAP_MESSAGE_CON;
	x->out.token_len = x->key.token_len;
	memcpy(x->out.token, x->key.token, x->key.token_len);
	x->session = coap_session_reference(s);
	timer_set(loop_timers(e->loop), &x->timer, clock_now_ms() + x->out.delay_ms, on_delayed);
}

static void on_request(coap_resource_t *resource, coap_session_t *s, const coap_pdu_t *req, const coap_string_t *query,
		       coap_pdu_t *resp)
{
	struct end *e = coap_get_app_data(coap_session_get_context(s));
	struct seen_key key = key_of(s, req);
	struct map_node *known = map_find(&e->seen, map_hash(&key, sizeof key), seen_eq, &key, sizeof key);
	struct end_out out = end_out(COAP_MESSAGE_ACK, 0);
	struct seen *x;

	(void)resource;
	(void)query;
	e->touched = true;
	if (known) {
		x = container_of(known, struct seen, node);
		coap_pdu_set_code(resp, COAP_EMPTY_CODE);
		if (!x->separate)
			fill(resp, &x->out);
		e->ops->duplicate(e->arg, s, req);
		return;
	}
	coap_pdu_set_code(resp, COAP_EMPTY_CODE);
	e->ops->request(e->arg, s, req, &out);
	x = remember(e, &key, &out);
	if (x && out.code && (out.separate || out.delay_ms))
		answer_later(e, s, x, req);
	else
		fill(resp, &out);
}

static coap_response_t on_response(coap_session_t *s, const coap_pdu_t *sent, const coap_pdu_t *got,
				   const coap_mid_t mid)
{
	struct end *e = coap_get_app_data(coap_session_get_context(s));

	(void)mid;
	return e->ops->response(e->arg, s, sent, got) ? COAP_RESPONSE_OK : COAP_RESPONSE_FAIL;
}

static void on_nack(coap_session_t *s, const coap_pdu_t *sent, const coap_nack_reason_t reason, const coap_mid_t mid)
{
	struct end *e = coap_get_app_data(coap_session_get_context(s));

	(void)mid;
	if (sent)
		e->ops->failed(e->arg, s, sent,
			       reason == COAP_NACK_RST                  ? "rst"
				       : reason == COAP_NACK_ICMP_ISSUE ? "unreachable"
									: "timeout");
}

/* ---- the context in the loop ---- */

static void on_readable(void *arg, int fd, unsigned what)
{
	struct end *e = arg;

	(void)fd;
	(void)what;
	coap_io_process(e->ctx, COAP_IO_NO_WAIT);
}

/* libcoap sets its timer only inside a pass of its own: after sending one is due. */
static void on_pass_end(void *arg)
{
	struct end *e = arg;

	if (!e->touched)
		return;
	e->touched = false;
	coap_io_process(e->ctx, COAP_IO_NO_WAIT);
}

static void quiet_log(coap_log_t level, const char *text)
{
	if (level <= LOG_CRIT && level != LOG_ALERT) /* ALERT: an RST that matches nothing, wanted in tests */
		fprintf(stderr, "libcoap: %s", text);
}

static int register_handlers(struct end *e)
{
	coap_resource_t *any = coap_resource_unknown_init2(on_request, 0);

	if (!any)
		return -ENOMEM;
	for (unsigned method = COAP_REQUEST_GET; method <= COAP_REQUEST_IPATCH; method++)
		coap_register_request_handler(any, (coap_request_t)method, on_request);
	coap_add_resource(e->ctx, any);
	coap_register_response_handler(e->ctx, on_response);
	coap_register_nack_handler(e->ctx, on_nack);
	coap_context_set_block_mode(e->ctx, 0);
	return 0;
}

int end_open(struct end **out, struct loop *loop, const struct end_ops *ops, void *arg)
{
	struct end *e = calloc(1, sizeof *e);
	int err = -ENOMEM;

	if (!e)
		return -ENOMEM;
	coap_startup();
	coap_set_log_handler(quiet_log);
	e->loop = loop;
	e->ops = ops;
	e->arg = arg;
	e->ring = calloc(REMEMBERED, sizeof *e->ring);
	e->ctx = coap_new_context(NULL);
	e->hook = (struct loop_hook){ .fn = on_pass_end, .arg = e };
	if (!e->ring || !e->ctx)
		goto fail;
	coap_set_app_data(e->ctx, e);
	err = register_handlers(e);
	if (!err)
		err = loop_watch(loop, &e->watch, coap_context_get_coap_fd(e->ctx), LOOP_READ, on_readable, e);
	if (err)
		goto fail;
	loop_hook_add(loop, &e->hook);
	e->touched = true;
	*out = e;
	return 0;
fail:
	if (e->ctx)
		coap_free_context(e->ctx);
	free(e->ring);
	free(e);
	return err;
}

void end_close(struct end *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < REMEMBERED; i++)
		seen_free(e->ring[i]);
	loop_hook_remove(e->loop, &e->hook);
	loop_unwatch(e->watch);
	coap_free_context(e->ctx);
	map_fini(&e->seen);
	free(e->ring);
	free(e);
}

coap_context_t *end_context(struct end *e)
{
	return e->ctx;
}

static void coap_address_of(coap_address_t *to, const struct addr *a)
{
	coap_address_init(to);
	memcpy(&to->addr, &a->u, a->len);
	to->size = a->len;
}

/* libcoap does not tell which port it got, so a free one is found beforehand. */
static int free_port(struct addr *a)
{
	int fd = socket(a->u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	if (bind(fd, &a->u.sa, a->len) || getsockname(fd, &a->u.sa, &a->len))
		err = -errno;
	close(fd);
	return err;
}

int end_listen(struct end *e, const struct addr *local, struct addr *bound)
{
	coap_address_t a;
	coap_endpoint_t *ep;

	*bound = *local;
	if (!addr_port(local)) {
		int err = free_port(bound);

		if (err)
			return err;
	}
	coap_address_of(&a, bound);
	errno = 0;
	ep = coap_new_endpoint(e->ctx, &a, COAP_PROTO_UDP);
	if (!ep)
		return errno ? -errno : -EIO;
	coap_endpoint_set_default_mtu(ep, MTU);
	e->touched = true;
	return 0;
}

coap_session_t *end_connect(struct end *e, const struct addr *local, const struct addr *peer)
{
	coap_address_t from, to;
	coap_session_t *s;

	coap_address_of(&from, local);
	coap_address_of(&to, peer);
	s = coap_new_client_session(e->ctx, &from, &to, COAP_PROTO_UDP);
	if (s)
		coap_session_set_mtu(s, MTU);
	e->touched = true;
	return s;
}

void end_deaf(const struct addr *local, bool deaf)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &drop };
	int none = 0;

	/* The descriptor is libcoap's secret, so it is looked up by its address. */
	for (int fd = 3, most = (int)sysconf(_SC_OPEN_MAX); fd < most && fd < 65536; fd++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof sa;
		int type = 0;
		socklen_t type_len = sizeof type;
		struct addr a;

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) || type != SOCK_DGRAM ||
		    getsockname(fd, (struct sockaddr *)&sa, &len) ||
		    (sa.ss_family != AF_INET && sa.ss_family != AF_INET6))
			continue;
		addr_from(&a, (struct sockaddr *)&sa, len);
		if (!addr_equal(&a, local, true))
			continue;
		if (deaf)
			setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
		else
			setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none);
	}
}
