/* SPDX-License-Identifier: Apache-2.0 */
/* unit.h - which unit a value is in
 *
 * Devices tell it in several places, and sites correct them: the first of these that says something counts.
 */
#ifndef NIDDGW_LWM2M_UNIT_H
#define NIDDGW_LWM2M_UNIT_H

#include "lwm2m/registry.h"
#include "lwm2m/value.h"

#define LWM2M_UNITS_RESOURCE 5701 /* "Sensor Units" of the IPSO objects */

struct lwm2m_unit_sources {
	const struct lwm2m_value *report; /* all values of the report, v among them */
	size_t n;
	struct lwm2m_text last; /* the last 5701 that v's instance reported, which the caller keeps; p NULL: none */
	struct lwm2m_text site; /* of the device's record; p NULL: none */
	const char *registry;   /* units of v's resource_def; NULL: none */
};

/* In order: the record's own, 5701 of this report, the last 5701, the site's, the registry's. p NULL: none. Borrowed from where it was
 * found. 5701 speaks for what the sensor of its instance measures and for the ranges of that, not for counters, times or texts beside it. */
struct lwm2m_text lwm2m_unit_of(const struct lwm2m_value *v, const struct lwm2m_unit_sources *s);
/* The 5701 that a value is, to be kept for its instance; NULL: it is none. */
const struct lwm2m_text *lwm2m_unit_told(const struct lwm2m_value *v);

#endif
