/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h - what crosses between the daemon and a host process
 *
 * A frame is a length (4 octets, of what follows), a kind and a body; integers are big endian, texts have their length before
 * and a NUL behind them, so that a reader can point into the frame. Both ends come from one build, which the first frame
 * (hello) proves, so the layout may change with every version. A plug-in may have written over everything in its process: what
 * comes from there is read as bytes of a stranger.
 *
 * Writers return false when the frame does not fit or a text is above the limit; readers return 0, or -EBADMSG. What a reader gives
 * is borrowed from the frame.
 */
#ifndef NIDDGW_PLUGIN_FRAME_H
#define NIDDGW_PLUGIN_FRAME_H

#include "base/octets.h"
#include "mirror/report.h"

enum {
	FRAME_VERSION = 1,
	FRAME_HEAD = 5,            /* length and kind */
	FRAME_DOWN_MOST = 1 << 20, /* octets of a frame towards the host, head included */
	FRAME_UP_MOST = 64 << 10,  /* and of one towards the daemon */
	FRAME_OPTIONS_MOST = 64,   /* of one plug-in */
	FRAME_WORDS_MOST = 64,     /* of one option */
};

enum frame_kind {
	/* daemon to host */
	FRAME_SETUP = 1, FRAME_RECORD, FRAME_SESSION, FRAME_DOWN, FRAME_ALARM, FRAME_STATS, FRAME_GATEWAY, FRAME_ANSWER,
	FRAME_PING, /* to be answered as soon as no call into the plug-in runs */
	FRAME_STOP, /* close the plug-in and end */
	/* host to daemon */
	FRAME_HELLO = 64, FRAME_OPTION, FRAME_REFUSED, FRAME_READY, FRAME_LOG, FRAME_COUNT, FRAME_RAISE, FRAME_COMMAND, FRAME_REPLAY, FRAME_PONG,
	FRAME_LOST, /* record() has not kept so many */
};

struct frame {
	uint8_t kind;
	struct reader body;
};

/* ---- towards the host ---- */

struct frame_setting { /* of one option: a list has any number of texts, another one */
	const char *name;
	uint32_t n;
	struct reader texts; /* for frame_next_text() */
};
struct frame_setup {
	const char *instance, *gateway_id, *boot_id, *state_dir;
	uint32_t n;             /* settings */
	struct reader settings; /* for frame_next_setting() */
};
bool frame_write_setup(struct writer *w, const struct frame_setup *s); /* without its settings, then s->n of these: */
bool frame_write_setting(struct writer *w, const char *name, const char *const *texts, uint32_t n);
void frame_end(struct writer *w, size_t start); /* sets the length of a frame that began at start and has grown by settings */
int frame_read_setup(struct frame *f, struct frame_setup *s);
int frame_next_setting(struct reader *r, struct frame_setting *s);
int frame_next_text(struct reader *r, const char **text); /* never NULL */

bool frame_write_record(struct writer *w, const struct report *r);
/* values and links: room for REPORT_VALUES_MAX of each; r then points to them. */
int frame_read_record(struct frame *f, struct report *r, struct niddgw_value *values, struct report_link *links);
bool frame_write_session(struct writer *w, const struct niddgw_session *s);
int frame_read_session(struct frame *f, struct niddgw_session *s);
bool frame_write_down(struct writer *w, const struct niddgw_down *d);
int frame_read_down(struct frame *f, struct niddgw_down *d);
bool frame_write_alarm(struct writer *w, const struct niddgw_alarm_event *a);
int frame_read_alarm(struct frame *f, struct niddgw_alarm_event *a);
bool frame_write_stats(struct writer *w, const struct niddgw_stats *s);
int frame_read_stats(struct frame *f, struct niddgw_stats *s);
bool frame_write_gateway(struct writer *w, const struct niddgw_gateway *g);
int frame_read_gateway(struct frame *f, struct niddgw_gateway *g);
bool frame_write_answer(struct writer *w, const struct niddgw_answer *a);
int frame_read_answer(struct frame *f, struct niddgw_answer *a);

/* ---- towards the daemon ---- */

struct frame_hello {
	uint32_t version, abi; /* FRAME_VERSION, NIDDGW_PLUGIN_ABI of the host */
	const char *build;     /* of the host: the daemon takes only its own */
	const char *name, *plugin_version; /* of the plug-in; the version may be NULL */
	uint32_t needs;        /* NIDDGW_NEEDS_ */
	uint32_t takes;        /* bit k: frames of kind k */
};
bool frame_write_hello(struct writer *w, const struct frame_hello *h);
int frame_read_hello(struct frame *f, struct frame_hello *h);
bool frame_write_option(struct writer *w, const struct niddgw_option *o);
/* words: room for FRAME_WORDS_MOST + 1 */
int frame_read_option(struct frame *f, struct niddgw_option *o, const char **words);
struct frame_log {
	uint32_t level; /* enum niddgw_level */
	const char *event, *text;
};
bool frame_write_log(struct writer *w, const struct frame_log *l);
int frame_read_log(struct frame *f, struct frame_log *l);
struct frame_count {
	const char *name;
	bool gauge;
	uint64_t value; /* of a counter: to be added; of a gauge: int64_t, as it is now */
};
bool frame_write_count(struct writer *w, const struct frame_count *c);
int frame_read_count(struct frame *f, struct frame_count *c);
struct frame_raise {
	const char *type, *text; /* text NULL clears */
};
bool frame_write_raise(struct writer *w, const struct frame_raise *a);
int frame_read_raise(struct frame *f, struct frame_raise *a);
bool frame_write_command(struct writer *w, const struct niddgw_command *c);
int frame_read_command(struct frame *f, struct niddgw_command *c);
bool frame_write_lost(struct writer *w, uint64_t n);
int frame_read_lost(struct frame *f, uint64_t *n);
bool frame_write_text(struct writer *w, uint8_t kind, const char *text); /* a frame of one text: FRAME_REFUSED */
int frame_read_text(struct frame *f, const char **text);
bool frame_write_empty(struct writer *w, uint8_t kind);                  /* READY, REPLAY, PING, PONG, STOP */

/* ---- frames of a stream ---- */

struct frame_stream {
	uint8_t *buf; /* owned; grows up to `most` */
	size_t size, at, len, most;
};
void frame_stream_init(struct frame_stream *s, size_t most); /* octets of the largest frame that is taken */
void frame_stream_fini(struct frame_stream *s);
/* What has been read from a descriptor goes to *room of these octets, then frame_stream_got(). NULL: no memory. Frames given before are gone. */
uint8_t *frame_stream_room(struct frame_stream *s, size_t *room);
void frame_stream_got(struct frame_stream *s, size_t n);
/* 1 and the next whole frame, borrowed until frame_stream_room(); 0: none yet; -EBADMSG too short for a kind; -EMSGSIZE above the most. */
int frame_stream_next(struct frame_stream *s, struct frame *f);

#endif
