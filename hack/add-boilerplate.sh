#!/usr/bin/env bash
# Puts the licence header of hack/boilerplate.go.txt at the top of every Go file that lacks it.
# With --check it changes nothing, lists those files and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

header=hack/boilerplate.go.txt
missing=()
while IFS= read -r -d '' file; do
	# In generated files the header comes after a build constraint.
	head -n 6 "$file" | grep -qF -- "$(tail -n 1 "$header")" || missing+=("$file")
done < <(find . \( -path ./.git -o -path ./bin \) -prune -o -name '*.go' -type f -print0)

[ ${#missing[@]} -gt 0 ] || exit 0

if [ "${1:-}" = --check ]; then
	echo "These files lack the licence header; run 'make fmt':" >&2
	printf '  %s\n' "${missing[@]}" >&2
	exit 1
fi

for file in "${missing[@]}"; do
	tmp=$(mktemp)
	{ cat "$header"; echo; cat "$file"; } >"$tmp"
	cat "$tmp" >"$file" # keeps the mode of the file
	rm "$tmp"
	echo "added the licence header to $file"
done
