#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh - builds the Leshan peers with Maven when they have changed, then runs interop.py with the arguments given
#
# Maven is asked offline first, so that only the first run on a machine needs the network. Programs of the gateway come from
# $NIDDGW_BUILD or build/. Exit 0 also without Java, Maven or the libraries, but then the last lines say that nothing was run.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=$here/target
stamp=$target/built
log=$target/maven.log

skip() {
	echo "interop: SKIPPED, $1"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
}

if ! command -v java >/dev/null 2>&1 || ! command -v javac >/dev/null 2>&1 || ! command -v mvn >/dev/null 2>&1; then
	skip "Java (17, with its compiler) and Maven are not both installed"
fi

peers() {
	plugins=org.apache.maven.plugins
	mvn --batch-mode --quiet -Dstyle.color=never --file "$here/pom.xml" "$@" $plugins:maven-compiler-plugin:compile \
		$plugins:maven-dependency-plugin:copy-dependencies
}

if [ ! -e "$stamp" ] || [ -n "$(find "$here/pom.xml" "$here/src" -newer "$stamp" -print -quit)" ]; then
	rm -rf "$target"
	mkdir -p "$target"
	if ! peers --offline >"$log" 2>&1 && ! peers >"$log" 2>&1; then
		cat "$log"
		echo
		if grep -qE 'Could not transfer|Unknown host|Temporary failure in name resolution' "$log"; then
			skip "the Leshan libraries are not on this machine and could not be fetched"
		fi
		echo "interop: the Leshan peers could not be built"
		echo "0 passed, 1 failed"
		exit 1
	fi
	touch "$stamp"
fi
PYTHONDONTWRITEBYTECODE=1 exec "$([ -x /usr/bin/python3 ] && echo /usr/bin/python3 || echo python3)" "$here/interop.py" "$@"
