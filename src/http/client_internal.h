/* SPDX-License-Identifier: Apache-2.0 */
/* client_internal.h - what the client's files share: the client, its calls, the sockets libcurl has, the token */
#ifndef NIDDGW_HTTP_CLIENT_INTERNAL_H
#define NIDDGW_HTTP_CLIENT_INTERNAL_H

#include <curl/curl.h>

#include "base/log.h"
#include "http/client.h"

enum { URL_MOST = 4096, TOKEN_MOST = 16384, HOPS_MOST = 3, SECRET_MOST = 1024 };

enum call_state {
	CALL_NEEDS_TOKEN, /* in waiting */
	CALL_QUEUED,
	CALL_RUNNING, /* libcurl has it */
	CALL_ENDED,   /* done() comes next */
};

/* An easy handle with its URL taken apart: libcurl need not parse what changes in its path only. */
struct client_easy {
	CURL *easy;
	CURLU *url;
	const char *origin; /* text of the client's origin that url has; NULL: another */
};

struct http_call {
	struct http_call *next, *prev;
	struct call_list *list; /* the one it stands in; NULL for the token's */
	struct http_client *client;
	enum call_state state;
	http_done_fn *done; /* NULL: cancelled */
	void *arg;
	http_part_fn *part;
	enum http_method method;
	char *url;                /* owned; changes with a redirect */
	void *body;               /* owned */
	size_t len;
	struct curl_slist *lines; /* header lines but the credentials */
	bool shared_lines;        /* they are the client's; else owned */
	struct curl_slist *auth;  /* owned; the credentials, then `lines` */
	uint64_t timeout_ms;
	struct timer wait; /* ends a call that waits too long for a token or a connection */
	CURL *easy;        /* while it runs: that of handle */
	struct client_easy handle;
	bool no_auth, resent, internal, secret;
	bool all_permanent;
	unsigned hops;
	uint64_t generation; /* of the token it went with */
	/* one transfer */
	unsigned tries;    /* times that libcurl was about to write the request */
	long written_base; /* octets written before the request, to a proxy */
	int local_port;
	bool fresh;        /* on a connection of its own */
	bool stale;        /* given up before a word was written: the kept connection was closed or in disorder */
	bool second;       /* libcurl wanted to send it again */
	unsigned restarts;
	/* the answer */
	enum http_outcome outcome;
	int status;
	char *answer;      /* owned */
	size_t answer_len, answer_size;
	bool too_large, tls_failed, auth_failed, has_retry_after;
	uint64_t retry_after_ms;
	char content_type[128];
	char *location;    /* owned */
	char error[CURL_ERROR_SIZE];
};

struct call_list {
	struct http_call *first, *last;
	size_t count;
};

struct client_socket {
	int fd; /* -1: place is free */
	struct loop_fd *watch; /* owned; stays while the connection idles */
	bool wanted;           /* libcurl waits for it */
	int port; /* local; 0: not asked for yet */
	unsigned uses;
	bool h2;
};

struct origin {
	char *text; /* owned; scheme, host and port as they stand in base, no slash behind */
	char *scheme, *host, *port; /* owned by libcurl (curl_free) */
};

enum { LINE_SETS = 4 };
struct line_set { /* header lines of calls that have none of their own */
	char *type; /* owned; the content type; NULL: none */
	struct curl_slist *lines; /* owned; NULL: place is free */
};

struct token {
	char *value; /* owned; wiped when dropped */
	uint64_t generation;
	uint64_t refresh_ms, expires_ms;
	struct http_call *fetch; /* running */
	uint64_t next_try_ms;
	unsigned failures, refusals;
	uint64_t budget_ms; /* for fetches because of a 401: when the allowance is full again */
	bool refused;
	struct timer timer;
	void (*on_result)(void *arg, bool ok);
	void *arg;
	char error[128]; /* of the last try */
};

struct http_client {
	struct loop *loop; /* borrowed */
	struct http_client_conf conf; /* the texts are owned */
	CURLM *multi;
	struct timer multi_timer, kick;
	struct origin *origins; /* owned */
	size_t origins_n;
	struct call_list waiting, queue, running, ended;
	struct client_easy *idle; /* owned; handles for the next calls */
	struct line_set sets[LINE_SETS];
	size_t idle_n, idle_size;
	struct client_socket *sockets; /* owned */
	size_t sockets_n;
	struct token token;
	bool h2;        /* the peer has answered over HTTP/2 */
	bool closing;
	unsigned depth; /* entries on the stack that go on after a callback */
	bool in_curl;   /* no call of libcurl's multi interface may be made */
	bool sweep;     /* a running call was cancelled in that time */
	struct log_limit log_token;
};

/* client.c */
void client_kick(struct http_client *c);                        /* look at the queue in this pass of the loop */
void client_enter(struct http_client *c);
void client_leave(struct http_client *c);                       /* may free c */
void call_queue(struct http_call *call, struct call_list *list, enum call_state state, bool front);
void call_end(struct http_call *call, enum http_outcome outcome, const char *error); /* error NULL: as it stands */
void client_token_changed(struct http_client *c);
void client_sweep(struct http_client *c);                       /* free what was cancelled while libcurl was at work */

/* call.c */
int call_new(struct http_call **out, struct http_client *c, const struct http_call_conf *conf, http_done_fn *done, void *arg);
void call_free(struct http_call *call);                         /* out of its list and out of libcurl before */
int call_start(struct http_call *call);                         /* 0, or a negative errno: not started */
int call_set_basic(struct http_call *call, const char *user, const char *secret_file); /* credentials of its own */
void call_drop_easy(struct http_call *call);                    /* out of libcurl */
void call_lines_free(struct http_client *c);                    /* the shared ones */
void call_forget_answer(struct http_call *call);                /* ready for another transfer */

/* easy.c */
int client_easy_new(struct http_client *c, struct client_easy *out); /* -ENOMEM */
void client_easy_free(struct client_easy *h);
int easy_set_call(struct http_call *call);                      /* its handle; -ENOMEM, -EINVAL the URL is none */
long call_written(const struct http_call *call);                /* octets, since the request was about to be written first */

/* outcome.c */
void call_finished(struct http_call *call, CURLcode code);      /* decide: again, or ended */

/* multi.c */
int multi_open(struct http_client *c);
void multi_close(struct http_client *c);
void multi_perform(struct http_client *c);                      /* what was added is begun at once */
struct client_socket *client_socket_of(struct http_client *c, int local_port);
curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *sa);
int on_close_socket(void *arg, curl_socket_t fd);

/* origin.c */
int origins_parse(struct origin **out, size_t *n, const char *base); /* -EINVAL, -ENOMEM */
void origins_free(struct origin *o, size_t n);
/* Is url sound and does it belong to one of the origins (or, with none, to anybody)? */
bool origins_have(const struct origin *o, size_t n, const char *url);
/* `to` as seen from `from`, absolute and owned by the caller; NULL when it is no http or https URL. */
char *url_resolve(const char *from, const char *to);
bool url_is_downgrade(const char *from, const char *to); /* https to http */

/* retry_after.c */
bool retry_after_parse(const char *value, uint64_t wall_ms, uint64_t *ms); /* clamped to 0..24 h; false: not understood */

/* token.c */
bool token_usable(const struct http_client *c);
void token_want(struct http_client *c); /* have one fetched unless that is under way, refused, or held back */
/* A peer has answered 401 to a token of that generation. true: send once more when there is a usable one. */
bool token_rejected(struct http_client *c, uint64_t generation);
void token_fini(struct http_client *c);

/* token_answer.c */
struct token_answer {
	char *token;     /* owned; NULL when absent; the caller wipes it */
	bool is_bearer;  /* token_type is Bearer or absent */
	bool has_expires;
	double expires_in;
	char error[64];  /* "" when absent */
};
int token_answer_parse(struct token_answer *out, const char *text, size_t len); /* -EBADMSG: no JSON object of sense; -ENOMEM */

#endif
