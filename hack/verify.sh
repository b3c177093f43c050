#!/usr/bin/env bash
# Fails where what is checked in is not what the sources say: licence headers, generated files,
# go.mod, rights without a binding, names in scripts and samples. It regenerates in place, so a run also repairs.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
fail() {
	echo "verify: $*" >&2
	failed=1
}

echo "verify: licence headers"
hack/add-boilerplate.sh --check || fail "licence headers are missing"

echo "verify: shell scripts parse"
for script in .ci/run hack/*.sh; do
	bash -n "$script" || fail "$script does not parse"
done

echo "verify: generated files"
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
# copy_generated copies every generated file to the folder $1, paths kept.
copy_generated() {
	find api config docs charts README.md \
		\( -name 'zz_generated.*' -o -name '*.yaml' -o -name '*.md' -o -name '*.json' -o -name '*.svg' \) -type f -print0 |
		while IFS= read -r -d '' file; do
			mkdir -p "$1/$(dirname "$file")"
			cp "$file" "$1/$file"
		done
}
copy_generated "$before/old"
"${MAKE:-make}" --no-print-directory generate manifests
copy_generated "$before/new"
diff -ru "$before/old" "$before/new" ||
	fail "generated files were out of date: 'make generate manifests' has just repaired them, commit the result"

echo "verify: alerts, dashboard and docs ask Prometheus for what exists"
go -C hack/observability test -count=1 ./... || fail "a query names a metric, a label or a value that does not exist: see docs/reference/metrics.md"

echo "verify: every generated role is bound"
# roles lists "kind namespace/name" of the roles in a file of ours, or of the roles that its bindings name.
roles() {
	awk -v want="$2" '
		function flush() {
			if (want == "roles" && (kind == "Role" || kind == "ClusterRole")) print kind, ns "/" name
			if (want == "bindings" && (kind == "RoleBinding" || kind == "ClusterRoleBinding")) print refkind, ns "/" refname
			kind = ns = name = refkind = refname = ""; section = ""
		}
		/^---/ { flush(); next }
		/^kind:/ { kind = $2 }
		/^[a-zA-Z]/ { section = $1 }
		section == "metadata:" && /^  name:/ { name = $2 }
		section == "metadata:" && /^  namespace:/ { ns = $2 }
		section == "roleRef:" && /^  kind:/ { refkind = $2 }
		section == "roleRef:" && /^  name:/ { refname = $2 }
		END { flush() }
	' "$1" | sort -u
}
unbound=$(comm -23 <(roles config/rbac/role.yaml roles) <(roles config/rbac/role_binding.yaml bindings))
[ -z "$unbound" ] || fail "config/rbac/role_binding.yaml binds none of these roles of config/rbac/role.yaml:"$'\n'"$unbound"

echo "verify: what Lua scripts, samples and guides name exists"
go test ./internal/gitops ./internal/docs ./hack/chart || fail "something names what does not exist"

for module in $(find . -name go.mod ! -path './bin/*' ! -path './dist/*' -printf '%h\n' | sort); do
	echo "verify: $module/go.mod is tidy"
	go -C "$module" mod tidy -diff || fail "$module/go.mod is not tidy: run 'go -C $module mod tidy'"
done

[ "$failed" = 0 ] && echo "verify: all right"
exit "$failed"
