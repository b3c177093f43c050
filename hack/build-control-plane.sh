#!/usr/bin/env bash
# Builds etcd, kube-apiserver, kube-controller-manager and kubectl from the pinned
# modules of hack/controlplane into the directory given as the first argument. Another version than that of go.mod
# there may be given as the second: hack/pin-control-plane.sh pins one.
# A binary that is already there is kept: the directory is named after the version.
set -euo pipefail

out=${1:?usage: $0 <output directory> [version]}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/controlplane"

# The pinned modules, for the machine that runs this, whatever the environment says.
export GOFLAGS=-mod=readonly GOWORK=off GOOS= GOARCH= CGO_ENABLED=0

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
if [ -n "${2:-}" ] && [ "$2" != "$version" ]; then
	version=$2
	[ -f "kubernetes-$version.mod" ] || { echo "Kubernetes $version is not pinned: run hack/pin-control-plane.sh $version" >&2; exit 1; }
	GOFLAGS+=" -modfile=kubernetes-$version.mod"
fi
major=$(cut -d. -f1 <<<"${version#v}")
minor=$(cut -d. -f2 <<<"$version")

# Without these, the binaries report v0.0.0-master and kubectl cannot parse its own version.
ldflags="-s -w"
for pkg in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
	ldflags+=" -X $pkg.gitVersion=$version -X $pkg.gitMajor=$major -X $pkg.gitMinor=$minor"
	ldflags+=" -X $pkg.gitCommit=unknown -X $pkg.gitTreeState=clean -X $pkg.buildDate=1970-01-01T00:00:00Z"
done

components=(
	"etcd=go.etcd.io/etcd/server/v3"
	"kube-apiserver=k8s.io/kubernetes/cmd/kube-apiserver"
	"kube-controller-manager=k8s.io/kubernetes/cmd/kube-controller-manager"
	"kubectl=k8s.io/kubernetes/cmd/kubectl"
)

missing=()
for component in "${components[@]}"; do
	[ -x "$out/${component%%=*}" ] || missing+=("$component")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "Building the control plane (Kubernetes $version) from pinned Go modules into $out."
echo "The first time this takes about 6 minutes on 2 cores; it is done once."

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
	go build -buildvcs=false -ldflags "$ldflags" -o "$out/.$name.partial" "${component#*=}"
	mv "$out/.$name.partial" "$out/$name"
	kill $pulse 2>/dev/null || true
	wait $pulse 2>/dev/null || true
	echo "[$n/${#missing[@]}] $name built in ${SECONDS} s"
done
