#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The demonstration behind `make demo`; NIDDGW_BUILD names the built programs, KEEP=1 lets it run until Ctrl-C.
exec /usr/bin/python3 "$(dirname "$0")/demo.py" "$@"
