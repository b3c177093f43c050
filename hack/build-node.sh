#!/usr/bin/env bash
# Builds what a Kubernetes node runs into the directory given as the first argument: kubelet, kube-scheduler and kube-proxy from
# the pinned modules of hack/controlplane, containerd with its shim and ctr from those of hack/node, and the program that keeps
# a pod's namespaces. A binary that is already there is kept: the directory is named after the versions.
set -euo pipefail

out=${1:?usage: $0 <output directory>}
hack=$(cd "$(dirname "$0")" && pwd)

"$hack/build-control-plane.sh" "$out" "" kubelet kube-scheduler kube-proxy

containerd=github.com/containerd/containerd/v2
version=$(awk -v module="$containerd" '$1 == module {print $2}' "$hack/node/go.mod")
TAGS="netgo osusergo static_build" LDFLAGS="-s -w -X $containerd/version.Version=$version" \
	"$hack/build-pinned.sh" "$hack/node" "$out" \
	"containerd=$containerd/cmd/containerd" \
	"containerd-shim-runc-v2=$containerd/cmd/containerd-shim-runc-v2" \
	"ctr=$containerd/cmd/ctr" \
	pause=./pause
