# The one way to do each thing: README, CI and developers call the same targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# Results do not depend on the settings of whoever calls make.
export GOFLAGS := -mod=readonly
export GOWORK := off

# The one place of the version: the image, the manifests and the chart follow it ('make manifests').
VERSION := v0.2.0
# What it is built from: the commit, and when that was made.
REVISION = $(shell git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null || echo unknown)
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

IMG ?= ghcr.io/clientidentity/operator:$(VERSION)
PLATFORMS ?= linux/amd64,linux/arm64
CONTAINER_TOOL ?= docker
DIST := dist
INSTALLER ?= $(DIST)/install.yaml

# The Dockerfile builds with the same flags: the bytes are the same.
BUILD_MANAGER = CGO_ENABLED=0 go build -mod=readonly -buildvcs=false -trimpath \
	-ldflags "-s -w -X main.version=$(VERSION) -X main.revision=$(REVISION)"
# The plugin is built the same way.
PLUGIN := bin/kubectl-clientidentity
PLUGIN_PLATFORMS ?= linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64

# Tools and Kubernetes are pinned in modules of their own; their versions name the binaries.
tool_version = $(shell awk '$$1 == "$(1)" && $$2 ~ /^v/ {print $$2}' hack/tools/go.mod)
CONTROLLER_GEN := bin/controller-gen-$(call tool_version,sigs.k8s.io/controller-tools)
CRD_REF_DOCS := bin/crd-ref-docs-$(call tool_version,github.com/elastic/crd-ref-docs)
GOLANGCI_LINT := bin/golangci-lint-$(call tool_version,github.com/golangci/golangci-lint/v2)
GOVULNCHECK := bin/govulncheck-$(call tool_version,golang.org/x/vuln)
PROMETHEUS_VERSION := $(shell awk '$$1 == "github.com/prometheus/prometheus" && $$2 ~ /^v/ {print $$2}' hack/observability/go.mod)
HELM_VERSION := $(shell awk '$$1 == "helm.sh/helm/v4" && $$2 ~ /^v/ {print $$2}' hack/helm/go.mod)
CERT_MANAGER_VERSION := $(shell awk '$$1 == "github.com/cert-manager/cert-manager" && $$2 ~ /^v/ {print $$2}' hack/certmanager/go.mod)
# make KUBERNETES_VERSION=v1.35.4 takes another one that is pinned there: see hack/pin-control-plane.sh.
KUBERNETES_VERSIONS := $(patsubst hack/controlplane/kubernetes-%.mod,%,$(wildcard hack/controlplane/kubernetes-*.mod))
KUBERNETES_VERSION := $(shell awk '$$1 == "k8s.io/kubernetes" && $$2 ~ /^v/ {print $$2}' hack/controlplane/go.mod)

CONTAINERD_VERSION := $(shell awk '$$1 == "github.com/containerd/containerd/v2" {print $$2}' hack/node/go.mod)

# Ready-made binaries are used where CONTROL_PLANE_BIN is set.
CONTROL_PLANE_BUILD := bin/k8s/$(KUBERNETES_VERSION)
ifeq ($(CONTROL_PLANE_BIN),)
override CONTROL_PLANE_BIN := $(CURDIR)/$(CONTROL_PLANE_BUILD)
CONTROL_PLANE_GIVEN :=
else
override CONTROL_PLANE_BIN := $(abspath $(CONTROL_PLANE_BIN))
CONTROL_PLANE_GIVEN := yes
endif
export CONTROL_PLANE_BIN

# What make e2e-node tests on, and what it tests. On a machine that cannot it says so, and with NODE_REQUIRED=yes it fails.
NODE_PLATFORM = linux/$(shell go env GOARCH)
export NODE_BIN ?= $(CURDIR)/bin/node/k8s-$(KUBERNETES_VERSION)-containerd-$(CONTAINERD_VERSION)
export NODE_INSTALLER ?= $(CURDIR)/dist/install.yaml
export NODE_IMAGE ?= $(CURDIR)/dist/client-identity-operator-$(notdir $(NODE_PLATFORM)).tar

# The tests of alerts run these; ready-made ones are used where they are set.
export PROMTOOL ?= $(CURDIR)/bin/promtool-$(PROMETHEUS_VERSION)
export PROMETHEUS ?= $(CURDIR)/bin/prometheus-$(PROMETHEUS_VERSION)

# The tests of the chart run it; a ready-made one is used where it is set.
export HELM ?= $(CURDIR)/bin/helm-$(HELM_VERSION)

# The benchmark compares with it, where it is asked to; a ready-made one is used where it is set.
export CERT_MANAGER ?= $(CURDIR)/bin/cert-manager-$(CERT_MANAGER_VERSION)

KUBECTL ?= $(shell command -v kubectl || echo "$(CONTROL_PLANE_BIN)/kubectl")

# For make test-integration: TEST_PKGS=./test/integration TEST_ARGS='-ginkgo.focus=renews'
TEST_PKGS ?= ./test/...
TEST_ARGS ?=

##@ General

.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*## "; printf "Usage: make <target>\n"} \
		/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

##@ Try it

.PHONY: demo
demo: control-plane build ## Show the whole path on a real control plane, check every step, and clean up.
	@go run ./hack/demo

.PHONY: run
run: control-plane build ## The same set-up, which stays up until Ctrl-C for you to play with.
	@go run ./hack/demo -stay

##@ Develop

.PHONY: build
build: ## Build the operator and the kubectl plugin: bin/manager, bin/kubectl-clientidentity.
	$(BUILD_MANAGER) -o bin/manager ./cmd
	$(BUILD_MANAGER) -o $(PLUGIN) ./cmd/kubectl-clientidentity

.PHONY: generate
generate: $(CONTROLLER_GEN) docs performance ## Generate the deep copies of the API types, their reference, Argo CD's ConfigMap, and what was measured.
	$(CONTROLLER_GEN) object:headerFile=hack/boilerplate.go.txt paths=./api/...
	go run ./hack/argocd > config/argocd/argocd-cm.yaml

.PHONY: docs
docs: $(CRD_REF_DOCS) ## Generate docs/reference (the API from its types, the metrics from their descriptions) and what the plugin's help says.
	@mkdir -p docs/reference
	$(CRD_REF_DOCS) --log-level=ERROR --source-path=api --config=hack/apidocs/config.yaml --templates-dir=hack/apidocs/templates \
		--renderer=markdown --output-path=docs/reference/api.md
	go run ./hack/metricsdocs > docs/reference/metrics.md
	go run ./hack/plugindocs > docs/kubectl-plugin.md

.PHONY: performance
performance: ## Make the tables and plots of docs/performance.md from the results in docs/performance.
	@go -C hack/performance run . -page $(CURDIR)/docs/performance.md -results $(CURDIR)/docs/performance -images $(CURDIR)/docs/images

.PHONY: dashboard
dashboard: ## Generate the Grafana dashboard from hack/observability/dashboard.
	go -C hack/observability run ./dashboard > config/grafana/client-identity-operator.json

.PHONY: manifests
manifests: $(CONTROLLER_GEN) dashboard ## Generate the CRD from the API types, the RBAC from the markers, the dashboard, the version, and what the chart takes.
	$(CONTROLLER_GEN) crd paths=./api/... output:crd:artifacts:config=config/crd/bases
	$(CONTROLLER_GEN) rbac:roleName=client-identity-operator-manager "paths=./internal/...;./cmd/..." output:rbac:artifacts:config=config/rbac
	hack/set-version.sh $(VERSION)
	go run ./hack/chart

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format the Go files and add missing licence headers.
	hack/add-boilerplate.sh
	$(GOLANGCI_LINT) fmt

.PHONY: vet
vet: ## Run go vet.
	go vet ./...

# hack/certmanager is left out: to check its one file is to compile cert-manager.
.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run golangci-lint.
	$(GOLANGCI_LINT) run
	cd hack/observability && $(CURDIR)/$(GOLANGCI_LINT) run
	cd hack/image && $(CURDIR)/$(GOLANGCI_LINT) run
	cd hack/node && $(CURDIR)/$(GOLANGCI_LINT) run
	cd hack/krew && $(CURDIR)/$(GOLANGCI_LINT) run
	cd hack/performance && $(CURDIR)/$(GOLANGCI_LINT) run

.PHONY: verify
verify: ## Check that generated files, go.mod and licence headers are up to date.
	@MAKE="$(MAKE)" hack/verify.sh

.PHONY: vulncheck
vulncheck: $(GOVULNCHECK) ## Look for known vulnerabilities (needs the vulnerability database, so not part of CI).
	$(GOVULNCHECK) ./...

.PHONY: clean
clean: ## Remove the manager, the tools and what tests left; keep control plane and node (minutes to build).
	find bin -mindepth 1 -maxdepth 1 ! -name k8s ! -name node -exec rm -rf {} + 2>/dev/null || true
	rm -rf dist

##@ Test

.PHONY: test
test: test-unit test-image test-integration ## Run all tests.

.PHONY: test-unit
test-unit: ## Run the unit tests: fast, without a control plane.
	CGO_ENABLED=1 go test -race ./api/... ./internal/... ./cmd/...

.PHONY: test-image
test-image: ## Run the tests of what packs and pushes the image, of what packs the kubectl plugin for krew, and of what draws the plots.
	go -C hack/image test -count=1 ./...
	go -C hack/krew test -count=1 ./...
	go -C hack/performance test -count=1 ./...

.PHONY: test-integration
test-integration: control-plane prometheus helm ## Run the integration tests on a real control plane (TEST_PKGS, TEST_ARGS narrow it).
	CGO_ENABLED=1 go test -race -count=1 -timeout 20m $(TEST_PKGS) $(TEST_ARGS)

.PHONY: e2e-node
e2e-node: control-plane node helm image-for-node build-installer ## Test the image in pods on a real node, in namespaces of its own (Linux and root; TEST_ARGS narrows it).
	NODE_TESTS=yes go test -count=1 ./test/node/cluster
	go run ./test/upgrade/former
	NODE_TESTS=yes go test -count=1 -timeout 20m ./test/node/upgrade -v
	NODE_TESTS=yes go test -count=1 -timeout 60m ./test/node -v -ginkgo.v $(TEST_ARGS)

.PHONY: image-for-node
image-for-node:
	@$(MAKE) --no-print-directory image PLATFORMS=$(NODE_PLATFORM)

.PHONY: argocd-testdata
argocd-testdata: control-plane ## Take the objects again that the scripts of config/argocd are tested with, from a real control plane.
	go test -count=1 ./test/gitops -update -ginkgo.focus='scripts of config/argocd'

# What depends on the version of the API server, of the signer or of the garbage collector. From the newest to the oldest, so that
# each one has a newer one to be upgraded to.
KUBERNETES_SUITES := $(addprefix ./test/,api admission integration revocation e2e overlays authorizationconfig upgrade holders)

.PHONY: test-kubernetes
test-kubernetes: ## Run the suites that depend on it on every pinned version of Kubernetes, each built once; not part of CI (an hour, cold).
	@newer=; for version in $$(printf '%s\n' $(KUBERNETES_VERSION) $(KUBERNETES_VERSIONS) | sort -uVr); do \
		echo "==> Kubernetes $$version"; \
		hack/build-control-plane.sh bin/k8s/$$version $$version; \
		CONTROL_PLANE_BIN=$(CURDIR)/bin/k8s/$$version NEWER_CONTROL_PLANE_BIN=$$newer \
			go test -count=1 -timeout 30m $(KUBERNETES_SUITES) $(TEST_ARGS); \
		newer=$(CURDIR)/bin/k8s/$$version; \
	done

.PHONY: upgrade-fixture
upgrade-fixture: control-plane ## Freeze a release for the tests of upgrades: COMMIT=<commit> RELEASE=v0.1.0 (test/upgrade/testdata/README.md).
	go run ./test/upgrade/generate -commit '$(COMMIT)' -release '$(RELEASE)'

.PHONY: bench
bench: control-plane $(if $(findstring cert-manager,$(BENCH_ARGS)),cert-manager) ## Measure the operator beside a bare client with the same calls and account: a table, bin/bench.json (N=10000, BENCH_ARGS=-help).
	go run ./test/bench $(if $(N),-identities $(N)) $(BENCH_ARGS)

.PHONY: cert-manager
cert-manager: ## Build cert-manager's controllers for make bench, once; CERT_MANAGER=dir uses ready ones.
	@hack/build-cert-manager.sh $(CERT_MANAGER)

.PHONY: soak
soak: control-plane build ## Break things at random for ten minutes and check every credential (SOAK_ARGS='-seed 1 -duration 1m'; -property revokes instead).
	go run ./test/soak $(SOAK_ARGS)

.PHONY: control-plane
control-plane: ## Build etcd, kube-apiserver, kube-controller-manager and kubectl, once; CONTROL_PLANE_BIN=dir uses ready ones.
ifeq ($(CONTROL_PLANE_GIVEN),)
	@hack/build-control-plane.sh $(CONTROL_PLANE_BUILD) $(KUBERNETES_VERSION)
else
	@for binary in etcd kube-apiserver kube-controller-manager kubectl; do \
		[ -x "$(CONTROL_PLANE_BIN)/$$binary" ] || { echo "CONTROL_PLANE_BIN=$(CONTROL_PLANE_BIN) has no executable $$binary" >&2; exit 1; }; \
	done
endif

.PHONY: node
node: ## Build kubelet, kube-proxy, kube-scheduler and containerd for make e2e-node, once.
	@hack/build-node.sh $(NODE_BIN)

.PHONY: node-packages
node-packages: ## Install what a node takes from the operating system: runc, CNI plugins, nftables, iproute2 (root, on Debian).
	@hack/install-node-packages.sh

.PHONY: prometheus
prometheus: $(PROMTOOL) $(PROMETHEUS) ## Build promtool and Prometheus for the tests of alerts, once; PROMTOOL and PROMETHEUS use ready ones.

.PHONY: helm
helm: $(HELM) ## Build the Helm CLI for the tests of the chart, once; HELM uses a ready one.

##@ Deploy (with kubectl, to the cluster of the current context)

.PHONY: image
image: manager-binaries ## Build the image IMG for PLATFORMS without a container engine: an OCI archive, its digest and its SBOM, in dist.
	$(call pack_image)

.PHONY: image-push
image-push: manager-binaries ## Build it and push it to the registry in IMG, as who docker login made you.
	$(call pack_image,-push)

.PHONY: manager-binaries
manager-binaries:
	@$(foreach platform,$(image_platforms),$(call build_for,$(platform)))

.PHONY: image-dockerfile
image-dockerfile: override PLATFORMS = linux/$(shell go env GOARCH)
image-dockerfile: image ## Build the Dockerfile with Debian's buildah and stand-in base images, and compare with make image (root needed).
	hack/build-dockerfile.sh dist/client-identity-operator-$(shell go env GOARCH).tar "$(IMG)" $(VERSION) $(REVISION)

.PHONY: plugin-archives
plugin-archives: ## Build the kubectl plugin for PLUGIN_PLATFORMS: archives, and the manifest that krew installs them by, in dist.
	@$(foreach platform,$(plugin_platforms),$(call build_plugin_for,$(platform)))
	@go -C hack/krew run . -dist $(abspath $(DIST)) -version $(VERSION) -license $(CURDIR)/LICENSE -created $(SOURCE_DATE_EPOCH) \
		$(foreach platform,$(plugin_platforms),$(call plugin_for,$(platform)))
	@rm -rf $(DIST)/plugin
	@go -C hack/krew tool validate-krew-manifest -skip-install -manifest $(abspath $(DIST))/clientidentity.yaml

.PHONY: docker-build
docker-build: ## Build the image IMG with a container engine.
	$(CONTAINER_TOOL) build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) -t $(IMG) .

.PHONY: release
release: control-plane helm ## Make all files of a release in dist/VERSION: images, installer, chart, plugin, binaries, notes, checksums.
	@MAKE="$(MAKE)" hack/release.sh $(VERSION) "$(IMG)" "$(CONTROL_PLANE_BIN)/kubectl" "$(HELM)"

.PHONY: install
install: ## Install the CRD alone.
	$(KUBECTL) apply -k config/crd

.PHONY: deploy
deploy: ## Install CRD, RBAC, policy and the operator, with the image IMG.
	hack/render-manifests.sh "$(KUBECTL)" "$(IMG)" | $(KUBECTL) apply -f -

.PHONY: build-installer
build-installer: ## Write all of that into one file for kubectl apply -f, with the image IMG: dist/install.yaml (INSTALLER).
	@mkdir -p $(dir $(INSTALLER))
	hack/render-manifests.sh "$(KUBECTL)" "$(IMG)" > $(INSTALLER)

.PHONY: undeploy
undeploy: ## Remove the operator; identities, their Secrets, bindings and the CRD stay.
	$(KUBECTL) delete -k config/default --ignore-not-found -l 'app.kubernetes.io/component notin (crd,credentials)'

comma := ,
image_platforms = $(subst $(comma), ,$(PLATFORMS))
# $(1) is a platform such as linux/arm64. Settings of whoever calls make that would change the bytes count for nothing.
manager_for = $(DIST)/manager-$(subst /,-,$(1))
define build_for
echo "Building $(call manager_for,$(1))"
GOOS=$(word 1,$(subst /, ,$(1))) GOARCH=$(word 2,$(subst /, ,$(1))) GOAMD64= GOARM64= GOEXPERIMENT= GODEBUG= $(BUILD_MANAGER) -o $(call manager_for,$(1)) ./cmd

endef
plugin_platforms = $(subst $(comma), ,$(PLUGIN_PLATFORMS))
plugin_for = $(abspath $(DIST))/plugin/$(subst /,-,$(1))/kubectl-clientidentity$(if $(filter windows/%,$(1)),.exe)
define build_plugin_for
echo "Building the kubectl plugin for $(1)"
GOOS=$(word 1,$(subst /, ,$(1))) GOARCH=$(word 2,$(subst /, ,$(1))) GOAMD64= GOARM64= GOEXPERIMENT= GODEBUG= $(BUILD_MANAGER) -o $(call plugin_for,$(1)) ./cmd/kubectl-clientidentity

endef
define pack_image
@CGO_ENABLED=0 go -C hack/image run . $(1) -dist $(CURDIR)/$(DIST) -name "$(IMG)" \
	-version $(VERSION) -revision $(REVISION) -created $(SOURCE_DATE_EPOCH) \
	$(foreach platform,$(image_platforms),$(CURDIR)/$(call manager_for,$(platform)))
endef

# A tool is built once for each version in hack/tools/go.mod, for the machine that builds it.
bin/controller-gen-%: ; $(call build_tool,sigs.k8s.io/controller-tools/cmd/controller-gen)
bin/crd-ref-docs-%: ; $(call build_tool,github.com/elastic/crd-ref-docs)
bin/golangci-lint-%: ; $(call build_tool,github.com/golangci/golangci-lint/v2/cmd/golangci-lint)
bin/govulncheck-%: ; $(call build_tool,golang.org/x/vuln/cmd/govulncheck)

# They are built for each version in hack/observability/go.mod.
$(CURDIR)/bin/promtool-$(PROMETHEUS_VERSION): ; $(call build_prometheus,promtool)
$(CURDIR)/bin/prometheus-$(PROMETHEUS_VERSION): ; $(call build_prometheus,prometheus)

# It is built for the version in hack/helm/go.mod.
$(CURDIR)/bin/helm-$(HELM_VERSION):
	@echo "Building Helm (once; about a minute)"
	@LDFLAGS="-s -w -X helm.sh/helm/v4/internal/version.version=$(HELM_VERSION)" \
		hack/build-pinned.sh hack/helm bin $(@F)=helm.sh/helm/v4/cmd/helm

# Without service discovery, which tests do not need, and without the pages of the user interface.
define build_prometheus
@echo "Building $(@F) (once; about a minute)"
@GOOS= GOARCH= CGO_ENABLED=0 go -C hack/observability build -buildvcs=false -tags remove_all_sd -ldflags "-s -w" \
	-o $@ github.com/prometheus/prometheus/cmd/$(1)
endef

define build_tool
@echo "Building $(@F) (once; golangci-lint takes about 2 minutes)"
@GOOS= GOARCH= CGO_ENABLED=0 go -C hack/tools build -o ../../$@ $(1)
endef
