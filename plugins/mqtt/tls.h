/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h - the TLS side of a connection to a broker */
#ifndef NIDDGW_MQTT_TLS_H
#define NIDDGW_MQTT_TLS_H

#include <openssl/ssl.h>

#include "broker.h"

/* A context that checks the broker's certificate and its name. 0; -EINVAL a file that cannot be used (*why says which); -ENOMEM. */
int tls_new(SSL_CTX **out, const struct broker_conf *c, const char **why);

#endif
