#!/usr/bin/env bash
# Writes the version, which stands in the Makefile, wherever else it has to be (make manifests): set-version.sh v1.2.3
# With --check it writes nothing, and fails where something is of another version.
set -euo pipefail
cd "$(dirname "$0")/.."
check=
[ "$1" != --check ] || { check=yes && shift; }
version=$1

# As https://semver.org has it, with the v of Go and of our tags. Build metadata cannot be in the tag of an image.
number='(0|[1-9][0-9]*)' identifier='(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)'
[[ $version =~ ^v$number\.$number\.$number(-$identifier(\.$identifier)*)?$ ]] || {
	echo "VERSION=$version is no version: write it as v1.2.3 or v1.2.3-rc.1" >&2
	exit 1
}

new=$(mktemp)
trap 'rm -f "$new"' EXIT
differs=0
# edit FILE SCRIPT does what the sed script says.
edit() {
	sed -E "$2" "$1" >"$new"
	if cmp -s "$1" "$new"; then
		return
	elif [ -z "$check" ]; then
		cat "$new" >"$1"
	else
		echo "$1 is not of $version" >&2
		differs=1
	fi
}
v='v?[0-9][0-9A-Za-z.-]*'
edit config/manager/kustomization.yaml "s/^(  newTag: )$v/\1$version/"
edit charts/client-identity-operator/Chart.yaml "s/^(version: )$v/\1${version#v}/; s/^(appVersion: )$v/\1$version/
	s#(image: ghcr\.io/clientidentity/operator:)$v#\1$version#"
# What the docs push, in a registry of the reader's.
for file in README.md docs/*.md docs/guides/*.md; do
	edit "$file" "s#(registry\.example\.com/client-identity-operator:|^  newTag: )$v#\1$version#g"
done
exit "$differs"
