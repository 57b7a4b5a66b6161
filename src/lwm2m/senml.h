/* SPDX-License-Identifier: Apache-2.0 */
/* senml.h - what SenML means, apart from how it is written (RFC 8428, RFC 8790); inside lwm2m/ only
 *
 * A reader of JSON or CBOR fills one record after the other; senml_take() resolves it against what the records before it said.
 */
#ifndef NIDDGW_LWM2M_SENML_H
#define NIDDGW_LWM2M_SENML_H

#include "lwm2m/gather.h"

/* Labels that mean something here; as bits of what a record has. */
enum senml_label {
	SENML_BN, SENML_BT, SENML_BU, SENML_BV, SENML_BS, SENML_BVER,
	SENML_N, SENML_U, SENML_V, SENML_VS, SENML_VB, SENML_S, SENML_T, SENML_UT, SENML_VD, SENML_VLO,
	SENML_LABEL_COUNT,
	SENML_UNKNOWN = SENML_LABEL_COUNT, /* to be passed over */
	SENML_MUST,                        /* unknown, and its name ends in "_": the record cannot be understood */
};
enum senml_label senml_label_of_text(const struct lwm2m_text *t);
enum senml_label senml_label_of_number(bool negative, uint64_t n); /* of CBOR; negative: -1 - n */

struct senml_record {
	uint32_t has; /* bits of enum senml_label; of what follows only n and value may be looked at without it */
	struct lwm2m_text bn, n, bu, u;
	struct lwm2m_value bt, bv, bs, bver, s, t; /* numbers: only their kind and value */
	struct lwm2m_value value; /* of v, vs, vb, vd or vlo */
};

struct senml {
	struct gather *g;
	bool etch;
	struct lwm2m_text bn, bu;
	struct lwm2m_value bv;
	double bt, bs;
	bool has_bt, has_bv, has_bs;
};

/* Not all of it is cleared: a report has many records, and most fields of most are never used. */
static inline void senml_begin(struct senml_record *r)
{
	r->has = 0;
	r->n = (struct lwm2m_text){ 0 };
	r->value = (struct lwm2m_value){ 0 };
}

static inline struct senml senml_of(struct gather *g, bool etch)
{
	return (struct senml){ .g = g, .etch = etch };
}
/* A label that is met: notes it, and refuses one that stands there twice, must be understood and is not, or is a second value. */
bool senml_meet(struct gather *g, struct senml_record *r, enum senml_label label);
bool senml_take(struct senml *s, const struct senml_record *r);

/* bt + t as the time of a value: relative to the arrival below 2^28, clamped to what can be said. false: no number. */
bool senml_time(struct lwm2m_value *v, double seconds, int64_t arrival_us);
/* bn and n, or what else makes a name of two parts, to the path of v. */
bool senml_name(struct gather *g, struct lwm2m_value *v, const struct lwm2m_text *bn, const struct lwm2m_text *n);

#endif
