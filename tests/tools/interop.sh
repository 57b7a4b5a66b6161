#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# interop.sh - the runs against foreign LwM2M implementations, where Java and Maven are present
#
# Exit 0 also when they are not, but then it says so: the last line is what a summary should show.
set -eu
if ! command -v java >/dev/null 2>&1 || ! command -v mvn >/dev/null 2>&1; then
	echo "interop: SKIPPED, Java and Maven are not both installed"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi
if [ ! -x tests/interop/run.sh ]; then
	echo "interop: tests/interop/run.sh is missing" >&2
	echo "0 passed, 1 failed"
	exit 1
fi
exec tests/interop/run.sh
