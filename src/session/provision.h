/* SPDX-License-Identifier: Apache-2.0 */
/* provision.h - device records that do not stand in the files
 *
 * They come by import, by rule, or from the store at the start. A record has the keys of an entry of `devices` and passes the same checks; one of
 * the files wins over a stored one. What is changed here is durable before it is said to be done.
 */
#ifndef NIDDGW_SESSION_PROVISION_H
#define NIDDGW_SESSION_PROVISION_H

#include <stdbool.h>
#include <stddef.h>

#include "config/schema.h"
#include "session/conf.h"

struct import;
struct sessions;

enum {
	RECORD_TEXT_MOST = 16384,  /* octets of one record as it is stored */
	IMPORT_MOST = 1000000,     /* records of one import */
	RULE_DEVICES_MOST = 1000000, /* devices in all, above which rules make no more */
	RULE_RATE = 100,           /* devices that rules make in a second, and in a burst */
};

/* Every stored record becomes a device, or stands aside with a line in the log. After the first sessions_configure(), before
 * sessions_restore(). 0; -ENOMEM; or what the store says. */
int sessions_restore_records(struct sessions *s);

/* ---- import: all records or none ---- */

/* text tells what is wrong with the record of that line; borrowed for the call. */
typedef void import_fault_fn(void *arg, unsigned line, const char *text);
struct import_result {
	size_t added, replaced;
	size_t overruled; /* of these, records whose name the files have */
};
/* 0; -EBUSY another one is open; -EROFS the store cannot be written now; -ENOMEM. */
int import_open(struct import **out, struct sessions *s);
/* Looks at a key of a header line: false, and the fault is told, when no record can have it. */
bool import_key(struct import *im, const char *key, unsigned line, import_fault_fn *fault, void *arg);
/* Takes one record, by itself: each fault is told. 0, with faults too; -ENOSPC more than IMPORT_MOST;
 * -EPROTO the check has begun; -ENOMEM: the import has to be closed. */
int import_add(struct import *im, unsigned line, const struct conf_pair *v, size_t n, import_fault_fn *fault, void *arg);
/* Tells and counts a fault that the caller has found in a line. */
void import_fault(struct import *im, unsigned line, const char *text, import_fault_fn *fault, void *arg);
/* Goes on to hold them against the devices that are there, at most so many in this call: true when more are left. After the last import_add(). */
bool import_check(struct import *im, size_t most, import_fault_fn *fault, void *arg);
size_t import_faults(const struct import *im); /* told so far */
struct import_result import_result(const struct import *im); /* what a commit would do, after the check */
/**
 * Store all, then make devices of them in passes of the loop.
 * @param done  called once, later, with 0 or -EIO (nothing was stored, nothing has changed); not after import_close()
 * @return 0; -EINVAL there were faults, or the check has not come to its end; -ESTALE the configuration has changed meanwhile
 */
int import_commit(struct import *im, void (*done)(void *arg, int err), void *arg);
void import_close(struct import *im); /* what is committed is still carried out; NULL is fine */

/* ---- one record ---- */

struct removal; /* under way */
typedef void removal_fn(void *arg, int err); /* 0, or a negative errno: the record may come back with a restart */
/* Forget a stored record: its device is gone at once, for its link and in the store. fn is called when that is durable, not from within.
 * 0; -ENOENT no such record; -EPERM it stands in the files; -EBUSY an import is being taken over; -ENOMEM. *out is over when fn is called. */
int sessions_remove_record(struct sessions *s, const char *name, struct removal **out, removal_fn *fn, void *arg);
void removal_forget(struct removal *r); /* fn is not called any more; NULL is fine */

/* Every stored record, those that are not in effect too. Start with 0; returns where to go on, 0: that was all. fn false: stop here and go on
 * with this one. */
typedef bool records_each_fn(void *arg, const struct device_conf *c);
size_t sessions_records_from(const struct sessions *s, size_t place, records_each_fn *fn, void *arg);
/* Why the stored record of that name is not in effect; false: there is none such. */
bool sessions_record_overruled(const struct sessions *s, const char *name, char *why, size_t size);

#endif
