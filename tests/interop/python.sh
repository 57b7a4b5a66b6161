#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# python.sh - prints the path of a Python that has the packages of requirements.txt; installs them when they have changed
#
# Exit 3, and why on stderr, when they are not on this machine and cannot be fetched.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=$here/target/python
stamp=$venv/installed
log=$here/target/pip.log
python=$([ -x /usr/bin/python3 ] && echo /usr/bin/python3 || echo python3)

if [ ! -e "$stamp" ] || [ "$here/requirements.txt" -nt "$stamp" ]; then
	rm -rf "$venv"
	mkdir -p "$here/target"
	if ! "$python" -m venv "$venv" >"$log" 2>&1; then
		echo "Python's venv is not installed (python3-venv)" >&2
		exit 3
	fi
	if ! "$venv/bin/pip" --disable-pip-version-check install --quiet --requirement "$here/requirements.txt" >>"$log" 2>&1; then
		echo "the Python packages are not on this machine and could not be fetched" >&2
		exit 3
	fi
	touch "$stamp"
fi
echo "$venv/bin/python"
