#!/usr/bin/env bash
# Writes the version, which stands in the Makefile, wherever else it has to be: set-version.sh v1.2.3 (make manifests).
set -euo pipefail
cd "$(dirname "$0")/.."

# As https://semver.org has it, with the v of Go and of our tags. Build metadata cannot be in the tag of an image.
number='(0|[1-9][0-9]*)' identifier='(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)'
semver="v$number\.$number\.$number(-$identifier(\.$identifier)*)?"
version=$1
[[ $version =~ ^$semver$ ]] || {
	echo "VERSION=$version is no version: write it as v1.2.3 or v1.2.3-rc.1" >&2
	exit 1
}

# replace FILE BEFORE VALUE sets what follows BEFORE in its lines; a file that has no such line is an error, lest it be forgotten here.
replace() {
	grep -qE "$2" "$1" || {
		echo "$1 has no line '$2': mend hack/set-version.sh" >&2
		exit 1
	}
	sed -i -E "s|($2)[^ ]+|\1$3|" "$1"
}
replace config/manager/kustomization.yaml '^  newTag: ' "$version"
replace charts/client-identity-operator/Chart.yaml '^version: ' "${version#v}"
replace charts/client-identity-operator/Chart.yaml '^appVersion: ' "$version"
replace charts/client-identity-operator/Chart.yaml '^      image: ghcr\.io/clientidentity/operator:' "$version"
# The docs' own registry.
sed -i -E "s#((registry\.example\.com/client-identity-operator:|^  newTag: )v)[0-9][^ ]*#\1${version#v}#" README.md docs/*.md docs/guides/*.md
