/* SPDX-License-Identifier: Apache-2.0 */
/* value.c - the words for kinds of values */
#include "lwm2m/value.h"

const char *lwm2m_kind_name(enum lwm2m_kind kind)
{
	static const char *const names[LWM2M_VALUE_COUNT] = {
		[LWM2M_VALUE_NONE] = "none",        [LWM2M_VALUE_STRING] = "string", [LWM2M_VALUE_INTEGER] = "integer",
		[LWM2M_VALUE_UNSIGNED] = "integer", [LWM2M_VALUE_FLOAT] = "float",   [LWM2M_VALUE_BOOLEAN] = "boolean",
		[LWM2M_VALUE_OPAQUE] = "opaque",    [LWM2M_VALUE_TIME] = "time",     [LWM2M_VALUE_OBJLNK] = "objlnk",
		[LWM2M_VALUE_CORELNK] = "corelnk",
	};

	return (unsigned)kind < LWM2M_VALUE_COUNT ? names[kind] : names[LWM2M_VALUE_NONE];
}
