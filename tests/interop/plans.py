# SPDX-License-Identifier: Apache-2.0
"""plans.py - which cases are run on which way, in which order."""
import inspect

import accounts
import fleet
import mirrored
import peers
import secure
from cases import (active_cancel, at_once, attributes, blockwise, burst, close_gateway, composite, composite_observe, counters, create_delete,
                   crowd, deregister, errors, execute, narrow_blockwise, observe, observe_again, observe_instance, one_port, passive_cancel,
                   queue_mode, read_formats, register, register_again, rough_counters, send, slow_device, t8_counters, update, write_formats,
                   write_instances)

WAYS = [*peers.WAYS, *secure.WAYS, *accounts.WAYS, mirrored.Mirrored, fleet.Fleet]

CASES = [register, update, read_formats, errors, write_formats, write_instances, attributes, execute, slow_device, at_once, create_delete,
         observe, burst, active_cancel, passive_cancel, observe_again, observe_instance, send, composite, composite_observe, blockwise,
         register_again, deregister, queue_mode, one_port, crowd]

# By the name of the way.
PLAN = {
    "direct": CASES,
    "tunnel": [*CASES, counters, close_gateway],
    "narrow": [register, update, narrow_blockwise, deregister, one_port, counters, close_gateway],
    "t8": [*CASES, t8_counters, close_gateway],
    "rough": [*CASES, rough_counters, close_gateway],
    "psk": [*secure.PSK_CASES, close_gateway],
    "x509": [*secure.X509_CASES, close_gateway],
    "relay": [*secure.RELAY_CASES, close_gateway],
    "boot": [*accounts.BOOTSTRAP_CASES, close_gateway],
    "two": [*accounts.TWO_CASES, close_gateway],
    "mirror": [*mirrored.CASES, close_gateway],
    "fleet": [*fleet.CASES, close_gateway],
}
FIRST = (register, accounts.bootstrap, accounts.two_register, fleet.fleet_register)  # without it nothing can follow
ALWAYS = (*FIRST, close_gateway)


def plan(way, names):
    """The cases of a way; with names, only those and what has to be there always."""
    return [case for case in PLAN[way] if not names or case in ALWAYS or case.__name__ in names]


def title(case):
    return inspect.getdoc(case).splitlines()[0]
