/* SPDX-License-Identifier: Apache-2.0 */
/* load.h - what the files of the load generator share
 *
 * Messages are built by hand here: neither libcoap nor the gateway's own codec stands between the clock and the socket.
 */
#ifndef NIDDGW_SIM_LOAD_H
#define NIDDGW_SIM_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- options of all modes ---- */
struct load_opts {
	uint64_t endpoints, unanswered, window, rate, then_rate, seconds, warmup_ms, timeout_ms, pid, body;
	char *to, *server, *first;            /* udp */
	char *scs_as_id, *listen, *ca_file, *cert_file, *key_file; /* t8, sink */
	uint64_t connections, status;
	bool register_first, report;
	char *ends_cpu, *dut_cpu;
};

/* ---- load_stat.c: clocks and figures ---- */
enum { LOAD_BUCKETS = 64 * 64 };
struct load_stat {
	uint64_t buckets[LOAD_BUCKETS]; /* latencies, to about 1.5 % */
	uint64_t trips, lost, late, errors, missed;
	bool measuring;
	uint64_t from_ns, until_ns;     /* of the measured part */
	uint64_t dut_from_ns, dut_cpu_ns, ends_from_ns, ends_cpu_ns;
	pid_t dut;                      /* 0: none */
};
uint64_t load_now_ns(void);
void load_stat_begin(struct load_stat *s); /* from here on it counts */
void load_stat_end(struct load_stat *s);
void load_stat_trip(struct load_stat *s, uint64_t latency_ns);
double load_stat_quantile_us(const struct load_stat *s, double q);
void load_stat_print(const struct load_stat *s, const char *mode, const struct load_opts *o); /* one JSON line */
int load_pin(const char *cpu); /* this thread; NULL: leave it. -EINVAL */
void load_more_descriptors(void);
/* A child that dies with us; 0 in the child. */
pid_t load_fork(void);

/* ---- load_coap.c: messages, and the server at the end of the way ---- */
enum { LOAD_TOKEN = 8, LOAD_MESSAGE_MAX = 1600 };
enum load_kind { LOAD_POST, LOAD_MUTE, LOAD_REGISTER, LOAD_REPORT };
/* CON POST dp with a payload of body octets; or of a path the server never answers; or a Register; or a Send of ten values. Returns the length. */
size_t load_message(uint8_t *out, enum load_kind kind, uint16_t mid, const uint8_t token[LOAD_TOKEN], size_t body, const char *ep);
struct load_server;
/* Answers every CON POST with a piggybacked 2.04 (a Register with 2.01 and a location) in a thread of its own. */
int load_server_start(struct load_server **out, const char *listen, const char *cpu);
uint64_t load_server_requests(const struct load_server *s);
uint16_t load_server_port(const struct load_server *s);
void load_server_stop(struct load_server *s);

/* ---- pacing, the same for all modes ---- */
struct load_pace {
	const struct load_opts *o;
	struct load_stat *stat;
	uint64_t start_ns, sent;
};
void load_pace_start(struct load_pace *p, const struct load_opts *o, struct load_stat *s);
/* How many trips may begin now with so many in flight. Starts and ends the measured part; -1: the run is over. */
long load_pace_due(struct load_pace *p, uint64_t now_ns, uint64_t in_flight);
uint64_t load_pace_drain_until(uint64_t now_ns); /* how long what is in flight at the end is waited for */
int load_pace_wait_us(const struct load_pace *p, uint64_t now_ns); /* until the next one is due */

/* ---- modes: exit status ---- */
int load_udp(const struct load_opts *o);
int load_copy(const struct load_opts *o);
int load_pingpong(const struct load_opts *o);
int load_t8(const struct load_opts *o);
int load_sink(const struct load_opts *o);

/* ---- load_copy.c ---- */
/* The limit: copies datagrams with a socket per source. Never returns. */
void load_copier(int listen_fd, const struct sockaddr_in *server) __attribute__((noreturn));
int load_run_endpoints(const struct load_opts *o, const char *mode, const struct sockaddr_in *to, pid_t dut); /* load_udp.c */
int load_parse_v4(struct sockaddr_in *out, const char *text); /* HOST:PORT; -EINVAL, said on stderr */
int load_udp_bind(struct sockaddr_in *at, int buffer); /* a bound socket, *at updated; or a negative errno */

#endif
