#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh need [SET..]  - say what is missing and exit 2; installs nothing
# deps.sh install       - install what is missing (apt, with sudo when not root); needs no network when all is there
#
# The one list of packages (Debian 12 names). Sets: build, check, fuzz, tidy.
set -eu

build="gcc make pkg-config libc6-dev libevent-dev libssl-dev libconfig-dev libcurl4-openssl-dev libjansson-dev libcoap3-dev"
check="libcmocka-dev libcoap3-bin python3 python3-pytest python3-yaml python3-jsonschema openssl clang libclang-rt-14-dev"
fuzz="clang libclang-rt-14-dev"
tidy="clang-tidy clang-format"

packages_of() {
	case $1 in
	build) echo "$build" ;;
	check) echo "$build $check" ;;
	fuzz) echo "$build $fuzz" ;;
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
	wanted=
	for set in "$@"; do
		wanted="$wanted $(packages_of "$set")"
	done
	missing=$(missing_of $wanted)
	[ -n "$missing" ] || exit 0
	echo "niddgw: these packages are missing: $missing" >&2
	echo "niddgw: 'make deps' installs them" >&2
	exit 2
}

install() {
	if ! have_dpkg; then
		echo "niddgw: this is no Debian system; install by hand what corresponds to: $build $check" >&2
		exit 0
	fi
	missing=$(missing_of $build $check)
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
need)
	shift
	need "${@:-build}"
	;;
install) install ;;
*)
	sed -n '3,4s/^# //p' "$0" >&2
	exit 2
	;;
esac
