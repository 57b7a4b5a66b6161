/* SPDX-License-Identifier: Apache-2.0 */
/* registration.h - reading and editing of the LwM2M registration interface (LwM2M Transport, Register, Update, De-register)
 *
 * Works on visible messages only: under OSCORE nothing here applies.
 */
#ifndef NIDDGW_LWM2M_REGISTRATION_H
#define NIDDGW_LWM2M_REGISTRATION_H

#include "coap/codec.h"
#include "coap/option.h"

enum lwm2m_op {
	LWM2M_NONE,        /* not of the registration interface */
	LWM2M_REGISTER,    /* POST rd, with an optional prefix of segments before it */
	LWM2M_UPDATE,      /* POST to the location */
	LWM2M_DEREGISTER,  /* DELETE of the location */
	LWM2M_BOOTSTRAP,   /* POST bs */
	LWM2M_BOOTSTRAP_PACK, /* GET bspack */
	LWM2M_SEND,        /* POST dp */
};

enum lwm2m_version { LWM2M_V_UNKNOWN, LWM2M_V_1_0, LWM2M_V_1_1, LWM2M_V_1_2 }; /* a later 1.x reads as 1.2 */

/* The parameters of a Register or Update; texts are borrowed from the message, p NULL: absent. */
struct lwm2m_params {
	struct coap_text ep, b, sms, lwm2m;
	bool has_lifetime;
	uint64_t lifetime_s; /* 0: infinite */
	bool bad_lifetime;   /* there, and no number */
	bool queue;          /* Q as a flag, or Q in b unless the message names 1.1 or later */
	enum lwm2m_version version;
	unsigned eps;        /* how many ep there are */
};

/* location: the encoded Uri-Path options (as lwm2m_location_of() makes them) of the registration, or NULL with 0. */
enum lwm2m_op lwm2m_operation(const struct coap_msg *m, const uint8_t *location, size_t location_len);
void lwm2m_read_params(struct lwm2m_params *p, const struct coap_msg *m);
/* The Location-Path of a 2.01 as lengths and octets, comparable with a later request's Uri-Path: each segment one length
 * octet (at most 255) and its octets. Length; -EMSGSIZE above size; -ENOENT no Location-Path. */
long lwm2m_location_of(uint8_t *buf, size_t size, const struct coap_msg *m);

enum lwm2m_flag_edit { LWM2M_KEEP, LWM2M_ADD, LWM2M_REMOVE };
/* What the server entry asks for. */
struct lwm2m_edits {
	const char *insert_ep;   /* NULL: none; only on Register without ep */
	const char *binding;     /* NULL: keep; letters without Q, "U"; those that the version does not know are left out */
	enum lwm2m_flag_edit queue_flag;
	bool remove_sms;
};

#define LWM2M_QUERIES_MAX 32
struct lwm2m_queries {
	struct coap_text v[LWM2M_QUERIES_MAX];
	size_t n;
	char text[512]; /* the rewritten ones live here */
};
/**
 * The Uri-Query options a Register or Update shall have north (INTERFACE 4: edits of b, Q, ep).
 * b and sms are edited on Update only when they are there; Q is added where b or any parameter of it is edited on Register,
 * on Update only when it was there or b was. b is written in the grammar of version: with 1.0 Q is a letter of b, later a parameter of its own.
 * @param version  of the registration (on Update: the stored one)
 * @return 1 when q differs from what the message has, 0 when nothing is to be edited; -EMSGSIZE more than fits
 */
int lwm2m_edit(struct lwm2m_queries *q, const struct coap_msg *m, enum lwm2m_op op, enum lwm2m_version version, const struct lwm2m_edits *e);

#endif
