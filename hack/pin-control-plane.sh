#!/usr/bin/env bash
# Pins one more version of Kubernetes for the tests: writes hack/controlplane/kubernetes-VERSION.mod and .sum, which
# hack/build-control-plane.sh builds from. Run it when a version is added; the default one stays in go.mod.
set -euo pipefail

version=${1:?usage: $0 <version, such as v1.35.4>}
cd "$(dirname "$0")/controlplane"
export GOWORK=off GOFLAGS=-mod=mod
mod=kubernetes-$version.mod

cat >"$mod" <<END
module github.com/clientidentity/operator/hack/controlplane

go 1.26.0

// Built by 'make control-plane KUBERNETES_VERSION=$version'. Pinned by hack/pin-control-plane.sh.
tool (
	go.etcd.io/etcd/server/v3
	k8s.io/kubernetes/cmd/kube-apiserver
	k8s.io/kubernetes/cmd/kube-controller-manager
	k8s.io/kubernetes/cmd/kubectl
)

require k8s.io/kubernetes $version
END

# Its own go.mod requires its staging modules as v0.0.0; they are released as v0.<minor>.<patch>.
downloaded=$(go mod download -json -modfile="$mod" "k8s.io/kubernetes@$version")
gomod=$(sed -n 's/.*"GoMod": "\(.*\)".*/\1/p' <<<"$downloaded")
while read -r module; do
	go mod edit -replace="$module=$module@v0${version#v1}" "$mod"
done < <(awk '$1 ~ /^k8s.io\// && $2 == "v0.0.0" {print $1}' "$gomod")

go mod tidy -modfile="$mod"
