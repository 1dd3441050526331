# Keypool's commands. Everything beyond the Rust and Go toolchains is installed or built into $(KEYPOOL_CACHE), once.

KEYPOOL_CACHE ?= $(HOME)/.cache/keypool
export KEYPOOL_CACHE
export CARGO_TARGET_DIR ?= $(KEYPOOL_CACHE)/target
CARGO_DENY := $(KEYPOOL_CACHE)/cargo-deny-0.20.2

.PHONY: help run build test unit lint gen gen-check bench tools images

help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: ## Local mode on examples/quickstart with the fake provider: no cluster, no account, no key
	@cargo build --quiet --locked -p keypool-cli -p keypool-fake-provider --bins
	@examples/quickstart/local $(ARGS)

build: ## All programs
	cargo build --locked --workspace --bins

test: tools build lint unit ## Everything that CI checks: lints, generated files, every ring that this machine carries
	cargo test --locked -p keypool-tests

unit: ## Tests that need nothing but the Rust toolchain
	cargo test --locked --workspace --exclude keypool-tests

lint: gen-check $(CARGO_DENY)/bin/cargo-deny ## Format, clippy, dependency rules
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO_DENY)/bin/cargo-deny --log-level error check bans licenses sources

gen: ## Generated files: CRDs, chart copies, reference pages
	cargo run --quiet --locked -p keypool-crds --bin crdgen

gen-check: ## Fails when a generated file differs from what `make gen` writes
	cargo run --quiet --locked -p keypool-crds --bin crdgen -- --check

bench: ## Keypool beside nginx and haproxy, in one run (about 20 minutes)
	bench/run $(ARGS)

images: ## Container images of operator, proxy and fake provider (docker, podman or buildah)
	images/build $(ARGS)

tools: ## Kubernetes, etcd, CoreDNS, helm, node packages and SDKs for the tests, built once
	@tests/tools/setup

$(CARGO_DENY)/bin/cargo-deny:
	cargo install --quiet --locked --version 0.20.2 --no-default-features --root $(CARGO_DENY) \
	  --target-dir $(KEYPOOL_CACHE)/target-deny cargo-deny
