#!/usr/bin/env bash
# Builds programs from a module with pinned versions: build-pinned.sh MODULE OUT NAME=PACKAGE..., with LDFLAGS, TAGS and
# MODFILE (in place of go.mod) from the environment. What is there already is kept: OUT is named after the versions.
set -euo pipefail

module=${1:?usage: $0 <module> <output directory> <name=package>...}
out=${2:?usage: $0 <module> <output directory> <name=package>...}
shift 2
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$module"

# The pinned modules, for the machine that runs this, whatever the environment says.
export GOFLAGS="-mod=readonly${MODFILE:+ -modfile=$MODFILE}" GOWORK=off GOOS= GOARCH= CGO_ENABLED=0

missing=()
for component in "$@"; do
	[ -x "$out/${component%%=*}" ] || missing+=("$component")
done

# heartbeat prints a line now and then, so that a terminal or a CI log shows that the build is alive. Its
# sleep holds no output open: whoever reads ours through a pipe need not wait for it.
heartbeat() {
	while sleep 30 >/dev/null 2>&1; do
		echo "      ... still building $1 (${SECONDS} s so far)"
	done
}

n=0
for component in "${missing[@]}"; do
	name=${component%%=*}
	n=$((n + 1))
	SECONDS=0
	echo "[$n/${#missing[@]}] $name ..."
	heartbeat "$name" &
	pulse=$!
	trap 'kill $pulse 2>/dev/null || true' EXIT
	# Built under another name and moved: an interrupted build leaves no half binary behind.
	go build -buildvcs=false -tags "${TAGS:-}" -ldflags "${LDFLAGS:--s -w}" -o "$out/.$name.partial" "${component#*=}"
	mv "$out/.$name.partial" "$out/$name"
	kill $pulse 2>/dev/null || true
	wait $pulse 2>/dev/null || true
	echo "[$n/${#missing[@]}] $name built in ${SECONDS} s"
done
