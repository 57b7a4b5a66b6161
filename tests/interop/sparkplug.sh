#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sparkplug.sh - runs sparkplug.py with a Python that has pysparkplug
#
# Programs of the gateway come from $NIDDGW_BUILD or build/. Exit 0 also without the packages, but then it says so.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
status=0
python=$("$here/python.sh" 2>"${TMPDIR:-/tmp}/niddgw-interop.$$") || status=$?
why=$(cat "${TMPDIR:-/tmp}/niddgw-interop.$$")
rm -f "${TMPDIR:-/tmp}/niddgw-interop.$$"
if [ "$status" -ne 0 ]; then
	echo "interop: SKIPPED, $why"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi
PYTHONDONTWRITEBYTECODE=1 exec "$([ -x /usr/bin/python3 ] && echo /usr/bin/python3 || echo python3)" "$here/sparkplug.py" "$python" "$@"
