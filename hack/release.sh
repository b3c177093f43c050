#!/usr/bin/env bash
# Makes all that a release consists of in dist/VERSION: release.sh VERSION IMAGE KUBECTL HELM (make release). The same commit, built
# with the same Go, makes the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$1 image=$2 kubectl=$3 helm=$4
product=client-identity-operator
out=dist/$version

die() {
	echo "release: $*" >&2
	exit 1
}

# section prints what CHANGELOG.md says about the version, without its heading and the blank lines around it.
section() {
	awk -v heading="## [${version#v}]" '
		/^## / || /^\[[^]]+\]: / { inside = 0 }
		inside && (NF || text != "") { text = text $0 "\n" }
		index($0, heading) == 1 { inside = 1 }
		END { sub(/\n+$/, "", text); if (text != "") print text }
	' CHANGELOG.md
}

hack/set-version.sh --check "$version" || die "set VERSION := $version in the Makefile, then 'make manifests', and commit that"
[ -z "$(git status --porcelain)" ] || die "there are changes that are not committed:"$'\n'"$(git status --short)"
notes=$(section)
[ -n "$notes" ] || die "CHANGELOG.md has no section '## [${version#v}]', or it is empty"

rm -rf "$out"
mkdir -p "$out"
"${MAKE:-make}" --no-print-directory image VERSION="$version" IMG="$image" DIST="$out"
"${MAKE:-make}" --no-print-directory build-installer IMG="$image" KUBECTL="$kubectl" INSTALLER="$out/install.yaml"
"${MAKE:-make}" --no-print-directory plugin-archives VERSION="$version" DIST="$out"

# Helm keeps the times of files: git's archive gives them the commit's.
chart=$(mktemp -d)
trap 'rm -rf "$chart"' EXIT
git archive HEAD "charts/$product" | tar -x -C "$chart"
"$helm" package "$chart/charts/$product" --destination "$out" >/dev/null
[ -f "$out/$product-${version#v}.tgz" ] || die "the chart is of another version: $(ls "$out"/*.tgz)"

cat >"$out/release-notes.md" <<EOF
$notes

Image: \`$image\`, by digest \`$(cat "$out"/*.digest)\`. How to verify what you downloaded: [SECURITY.md](https://github.com/clientidentity/operator/blob/$version/SECURITY.md).
EOF
(cd "$out" && find . -type f ! -name checksums.txt -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum >checksums.txt)
echo "$out:"
cat "$out/checksums.txt"
