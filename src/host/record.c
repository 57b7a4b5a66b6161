/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - reports as plug-ins read them */
#include "host/parts.h"
#include "mirror/json.h"

enum niddgw_record_kind niddgw_record_kind(const struct niddgw_record *r)
{
	return r->report.kind;
}

uint64_t niddgw_record_arrival_ms(const struct niddgw_record *r)
{
	return r->report.arrival_ms;
}

const char *niddgw_record_id(const struct niddgw_record *r)
{
	return r->report.id;
}

const char *niddgw_record_device(const struct niddgw_record *r)
{
	return r->report.device;
}

const char *niddgw_record_ep(const struct niddgw_record *r)
{
	return r->report.ep;
}

const char *niddgw_record_server(const struct niddgw_record *r)
{
	return r->report.server;
}

const char *niddgw_record_op(const struct niddgw_record *r)
{
	return r->report.op;
}

const char *niddgw_record_path(const struct niddgw_record *r)
{
	return r->report.path;
}

const char *niddgw_record_format(const struct niddgw_record *r)
{
	return r->report.format;
}

int niddgw_record_confirmed(const struct niddgw_record *r)
{
	return r->report.confirmed;
}

size_t niddgw_record_unit_bytes(const struct niddgw_record *r)
{
	return r->report.unit_bytes;
}

size_t niddgw_record_values(const struct niddgw_record *r)
{
	return r->report.values_n;
}

const struct niddgw_value *niddgw_record_value(const struct niddgw_record *r, size_t i)
{
	return i < r->report.values_n ? &r->report.values[i] : NULL;
}

long niddgw_record_json(const struct niddgw_record *r, unsigned flags, char *buf, size_t size)
{
	return json_report(&r->report, flags, buf, size);
}

long niddgw_value_json(const struct niddgw_value *v, unsigned flags, char *buf, size_t size)
{
	return json_value(v, flags, buf, size);
}
