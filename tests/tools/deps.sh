#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh need SET     - say what is missing and exit 2; installs nothing
# deps.sh install SET  - install what is missing (apt, with sudo when not root); needs no network when all is there
#
# The one list of packages (Debian 12 names). Sets: build, check, bench, tidy; each has build in it.
set -eu

build="gcc make pkg-config libc6-dev libevent-dev libssl-dev libconfig-dev libcurl4-openssl-dev libjansson-dev libsqlite3-dev libcoap3-dev libcbor-dev libexpat1-dev libmosquitto-dev libprotobuf-c-dev protobuf-c-compiler"
check="libcmocka-dev g++ libcoap3-bin sqlite3 python3 python3-pytest python3-yaml python3-jsonschema python3-cbor2 python3-protobuf mosquitto mosquitto-clients openssl chromium clang libclang-rt-14-dev"
bench="python3 openssl mosquitto libnghttp2-dev libcjson-dev" # the last two for the bare prototype that figures are held against
tidy="clang-tidy clang-format"

packages_of() {
	case $1 in
	build) echo "$build" ;;
	check) echo "$build $check" ;;
	bench) echo "$build $bench" ;;
	tidy) echo "$build $tidy" ;;
	*) echo "deps.sh: unknown set $1" >&2; exit 2 ;;
	esac
}

missing_of() {
	for p in "$@"; do
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || printf '%s ' "$p"
	done
}

# Without dpkg nothing can be asked by package: then the compiler says what it does not find.
have_dpkg() {
	command -v dpkg-query >/dev/null 2>&1
}

need() {
	have_dpkg || exit 0
	missing=$(missing_of $1)
	[ -n "$missing" ] || exit 0
	echo "niddgw: these packages are missing: $missing" >&2
	echo "niddgw: '$hint' installs them" >&2
	exit 2
}

install() {
	if ! have_dpkg; then
		echo "niddgw: this is no Debian system; install by hand what corresponds to: $1" >&2
		exit 0
	fi
	missing=$(missing_of $1)
	[ -n "$missing" ] || exit 0
	as_root=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null 2>&1 || { echo "niddgw: not root and no sudo; missing: $missing" >&2; exit 2; }
		as_root=sudo
	fi
	echo "niddgw: installing $missing"
	$as_root apt-get update -q
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
}

case ${1:-} in
need | install)
	packages=$(packages_of "${2:-build}")
	hint="make deps"
	[ "${2:-build}" = build ] || hint="tests/tools/deps.sh install $2"
	"$1" "$packages"
	;;
*)
	sed -n '3,4s/^# //p' "$0" >&2
	exit 2
	;;
esac
