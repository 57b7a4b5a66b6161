/* SPDX-License-Identifier: Apache-2.0 */
/* value.h - one value that a device reported: where it belongs, of what kind it is, when it was taken
 *
 * Texts and octets are borrowed from the report that is being decoded: whoever keeps a value copies them.
 */
#ifndef NIDDGW_LWM2M_VALUE_H
#define NIDDGW_LWM2M_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lwm2m_text {
	const char *p; /* UTF-8, without a NUL at the end; NULL: absent */
	size_t len;
};

#define LWM2M_NO_ID 65535 /* reserved by LwM2M; as the instance of a Create: the device assigns one */

struct lwm2m_path {
	uint16_t id[4]; /* object, instance, resource, resource instance; those beyond depth are 0 */
	uint8_t depth;  /* how many of them there are; 0: "/" */
};

enum lwm2m_kind {
	LWM2M_VALUE_NONE, /* no value: a removed resource instance of a patch, an entry of a fetch list, a sum alone */
	LWM2M_VALUE_STRING,
	LWM2M_VALUE_INTEGER,
	LWM2M_VALUE_UNSIGNED,
	LWM2M_VALUE_FLOAT,
	LWM2M_VALUE_BOOLEAN,
	LWM2M_VALUE_OPAQUE,
	LWM2M_VALUE_TIME,
	LWM2M_VALUE_OBJLNK,
	LWM2M_VALUE_CORELNK,
	LWM2M_VALUE_COUNT
};
/* "none", "string", "integer" (UNSIGNED as well), "float", .. */
const char *lwm2m_kind_name(enum lwm2m_kind kind);

struct lwm2m_value {
	struct lwm2m_path path;   /* depth 3 or 4; less only in a fetch list */
	struct lwm2m_text prefix; /* of a device behind a LwM2M gateway (object 25), "d01"; the alternate path is cut off and stands nowhere */
	enum lwm2m_kind kind;
	bool timed;               /* time_us is the value's own; else the arrival counts */
	bool has_sum;             /* SenML: sum is the integral of the values so far */
	bool single;              /* FLOAT that came in 32 bits or fewer: the shortest decimal of a float tells it exactly */
	int64_t time_us;          /* UTC, since 1970, made absolute; 0 to LWM2M_TIME_MOST_US, what is beyond stands at the end */
	double sum;
	struct lwm2m_text unit;   /* the record's own; p NULL: it gave none */
	union {
		int64_t integer;
		uint64_t natural; /* UNSIGNED */
		double real;      /* FLOAT; NaN and infinities are passed on */
		bool boolean;
		struct {
			int64_t s;   /* since 1970, any number */
			uint32_t us; /* 0 to 999999, to be added */
		} time;
		struct lwm2m_text text; /* STRING, CORELNK: checked UTF-8, may hold NUL */
		struct {
			const uint8_t *p; /* may be NULL when len is 0 */
			size_t len;
		} opaque;
		struct {
			uint16_t object, instance; /* both LWM2M_NO_ID: the null link */
		} objlnk;
	};
};

#define LWM2M_TIME_MOST_US INT64_C(253402300799999999) /* the end of the year 9999: RFC 3339 has four digits */

#endif
