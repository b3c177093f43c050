#!/usr/bin/env bash
# Builds parts of Kubernetes from the pinned modules of hack/controlplane into the directory given as the first argument: those
# that are named as third and further ones, by default etcd, kube-apiserver, kube-controller-manager and kubectl. Another version
# than that of go.mod there may be given as the second: hack/pin-control-plane.sh pins one.
# A binary that is already there is kept: the directory is named after the version.
set -euo pipefail

out=${1:?usage: $0 <output directory> [<version> [<component>...]]}
wanted=${2:-}
shift $(($# < 2 ? $# : 2))
[ $# -gt 0 ] || set -- etcd kube-apiserver kube-controller-manager kubectl
hack=$(cd "$(dirname "$0")" && pwd)

absent=()
for component in "$@"; do
	[ -x "$out/$component" ] || absent+=("$component")
done
[ ${#absent[@]} -gt 0 ] || exit 0

version=$(GOFLAGS=-mod=readonly GOWORK=off go -C "$hack/controlplane" list -m -f '{{.Version}}' k8s.io/kubernetes)
if [ -n "$wanted" ] && [ "$wanted" != "$version" ]; then
	version=$wanted
	export MODFILE=kubernetes-$version.mod
	[ -f "$hack/controlplane/$MODFILE" ] || { echo "Kubernetes $version is not pinned: run hack/pin-control-plane.sh $version" >&2; exit 1; }
fi
major=$(cut -d. -f1 <<<"${version#v}")
minor=$(cut -d. -f2 <<<"$version")

# Without these, the binaries report v0.0.0-master and kubectl cannot parse its own version.
LDFLAGS="-s -w"
for pkg in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
	LDFLAGS+=" -X $pkg.gitVersion=$version -X $pkg.gitMajor=$major -X $pkg.gitMinor=$minor"
	LDFLAGS+=" -X $pkg.gitCommit=unknown -X $pkg.gitTreeState=clean -X $pkg.buildDate=1970-01-01T00:00:00Z"
done
export LDFLAGS

components=()
for component in "${absent[@]}"; do
	package=k8s.io/kubernetes/cmd/$component
	[ "$component" != etcd ] || package=go.etcd.io/etcd/server/v3
	components+=("$component=$package")
done

echo "Building ${absent[*]} (Kubernetes $version) from pinned Go modules into $out."
echo "The first time, the control plane takes about 6 minutes on 2 cores; it is done once."
exec "$hack/build-pinned.sh" "$hack/controlplane" "$out" "${components[@]}"
