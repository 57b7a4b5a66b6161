#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# interop.sh - the runs against foreign implementations: Leshan (Java, Maven), aiocoap and pysparkplug (Python)
#
# Exit 0 also where what they need is missing, but then it says so: the last line is what a summary should show.
set -eu
said=$(mktemp)
trap 'rm -f "$said"' EXIT
passed=0 failed=0 skipped=0 status=0

number_before() { # WORD: what stands before it in the closing line
	n=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$said" | tail -n 1 | grep -oE "[0-9]+ $1" || echo 0)
	echo "${n%% *}"
}

run() {
	"$@" >"$said" 2>&1 &
	tail -f --pid=$! -n +1 "$said" | grep --line-buffered -vE '^[0-9]+ passed, [0-9]+ failed' || :
	wait $! || status=1
	passed=$((passed + $(number_before passed)))
	failed=$((failed + $(number_before failed)))
	skipped=$((skipped + $(number_before skipped)))
}

run tests/interop/run.sh
run tests/interop/oscore.sh
run tests/interop/stream.sh
run tests/interop/sparkplug.sh
if [ "$skipped" -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
exit $status
