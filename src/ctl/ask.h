/* SPDX-License-Identifier: Apache-2.0 */
/* ask.h - commands to the gateway and to devices, the same that plug-ins may send */
#ifndef NIDDGW_CTL_ASK_H
#define NIDDGW_CTL_ASK_H

#include "ctl/devices.h"

bool ask_gateway(const struct device_call *call); /* COMMAND KEY=VALUE .. */
bool ask_device(const struct device_call *call);  /* NAME COMMAND KEY=VALUE .. */

#endif
