#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh BUILD SECONDS - run every fuzz target for so long, starting from its corpus in the tree
#
# What a target finds stays in BUILD/corpus/NAME, a crashing input in BUILD/crashes: fix it, then add the input to
# tests/fuzz/corpus/NAME. FUZZ_ONLY=NAME runs one target.
set -eu
build=$1
seconds=$2
ran=0 failed=0
mkdir -p "$build/crashes"
for source in tests/fuzz/fuzz_*.c; do
	[ -e "$source" ] || continue
	target=$(basename "$source" .c)
	name=${target#fuzz_}
	[ -z "${FUZZ_ONLY:-}" ] || [ "$FUZZ_ONLY" = "$name" ] || continue
	seeds=tests/fuzz/corpus/$name
	dict=tests/fuzz/$name.dict
	mkdir -p "$build/corpus/$name"
	log=$build/$target.log
	ran=$((ran + 1))
	set -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$build/crashes/$name-"
	[ ! -e "$dict" ] || set -- "$@" -dict="$dict"
	if "$build/libfuzzer/$target" "$@" "$build/corpus/$name" "$seeds" >"$log" 2>&1; then
		echo "ok $name: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$log")"
	else
		failed=$((failed + 1))
		echo "not ok $name: see $log"
		tail -n 40 "$log"
	fi
done
echo "$((ran - failed)) passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$ran" -gt 0 ]
