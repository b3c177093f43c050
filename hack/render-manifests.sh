#!/usr/bin/env bash
# Prints what config/default installs, with the image given: render-manifests.sh KUBECTL IMAGE.
set -euo pipefail
cd "$(dirname "$0")/.."

# Kustomize looks for resources by a path relative to the overlay. A patch takes any name, with a tag, a digest or both.
mkdir -p dist
overlay=$(mktemp -d dist/.overlay-XXXXXX)
trap 'rm -rf "$overlay"' EXIT
cat >"$overlay/kustomization.yaml" <<EOF
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- ../../config/default
patches:
- target: {kind: Deployment, name: client-identity-operator}
  patch: |-
    - {op: replace, path: /spec/template/spec/containers/0/image, value: "$2"}
EOF
"$1" kustomize "$overlay"
