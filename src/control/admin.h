/* SPDX-License-Identifier: Apache-2.0 */
/* admin.h - the read-only HTTP listener: /metrics, /healthz, /readyz, /api/v1 */
#ifndef NIDDGW_CONTROL_ADMIN_H
#define NIDDGW_CONTROL_ADMIN_H

#include "control/conf.h"
#include "control/control.h"

struct admin;

/* Makes *a listen as conf says (NULL *a: none does yet; "off": none shall). 0 or a negative errno (logged), then *a goes on as it was. */
int admin_set(struct admin **a, struct control *c, const struct admin_conf *conf);
void admin_close(struct admin *a); /* NULL is fine */

#endif
