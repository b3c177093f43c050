#!/usr/bin/env bash
# Builds cert-manager's controllers from the pinned module of hack/certmanager into the directory given as the first argument, and puts
# their CRDs into its folder crds. What is there already is kept: the directory is named after the version.
set -euo pipefail

out=${1:?usage: $0 <output directory>}
hack=$(cd "$(dirname "$0")" && pwd)
[ ! -x "$out/controller" ] || [ ! -d "$out/crds" ] || exit 0

echo "Building cert-manager from pinned Go modules into $out (once; about two minutes on 2 cores)"
"$hack/build-pinned.sh" "$hack/certmanager" "$out" controller=.
module=$(GOFLAGS=-mod=readonly GOWORK=off go -C "$hack/certmanager" list -m -f '{{.Dir}}' github.com/cert-manager/cert-manager)
rm -rf "$out/.crds.partial"
mkdir "$out/.crds.partial"
install -m 644 "$module"/deploy/crds/cert-manager.io_*.yaml "$out/.crds.partial"
mv "$out/.crds.partial" "$out/crds"
