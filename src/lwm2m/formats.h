/* SPDX-License-Identifier: Apache-2.0 */
/* formats.h - one reader per format; inside lwm2m/ only
 *
 * Each reads g->in->payload to its end and adds what it finds to g; false: a fault was noted.
 */
#ifndef NIDDGW_LWM2M_FORMATS_H
#define NIDDGW_LWM2M_FORMATS_H

#include "lwm2m/gather.h"

bool decode_tlv(struct gather *g);
bool decode_senml_json(struct gather *g, bool etch);
bool decode_senml_cbor(struct gather *g, bool etch);
bool decode_oma_json(struct gather *g);
bool decode_lwm2m_cbor(struct gather *g);
bool decode_cbor(struct gather *g); /* one value */

#endif
