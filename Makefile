# Bellhop. `make` alone explains itself.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help up down status env observe build demo run test bench bench-log bench-console crash faults fuzz image check clean cargo

stack := deploy/local/stack

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 } \
		/^#> / { printf "                     %s\n", substr($$0, 4) }' $(MAKEFILE_LIST)

up: ## Start RabbitMQ, Redis and PostgreSQL for development, in containers or as own processes (10 s).
#> Missing servers are installed with apt. A taken port is named, with the variable that changes it.
	@$(stack) up

down: ## Stop them and keep the data (10 s). To throw the data away as well: make clean.
	@$(stack) down

status: ## Show what runs, where, and whether it answers.
	@$(stack) status || true

env: ## Print addresses and keys of the stack: eval "$(make -s env)"
	@$(stack) env

observe: ## Start Prometheus against the stack, and Grafana where the stack is in containers (10 s).
#> It scrapes what make run starts, evaluates the alerts of deploy/prometheus, and stops with make down.
	@$(stack) observe

build: cargo ## Build everything, debug profile (first time: minutes). It needs the Rust toolchain only.
	cargo build --locked --workspace

demo: up build ## Send appointments to good and bad endpoints and show what becomes of them (1 min after the build).
#> When it fails, make status and the logs in .bellhop/log say which server is at fault.
	@$(stack) exec cargo run --locked --quiet --package bellhop-tests --bin bellhop-demo

run: up build ## Run a worker, a recorder, the API with the console, and an endpoint that prints what it gets, until Ctrl-C.
#> It prints the console's address with a link that signs in. BELLHOP_API_LISTEN=127.0.0.1:8081 make run takes another port.
	@$(stack) exec deploy/local/run

test: cargo ## Run every test, against throwaway servers that the tests start themselves (minutes).
#> It needs no make up and disturbs none. What it needs is installed first, with apt, pip and npm, a browser among it.
#> BELLHOP_SCREENSHOTS=1 make test keeps pictures of every page of the console in target/screenshots.
	@tests/tools/install
	cargo test --locked --workspace

bench: cargo ## Measure a worker beside the smallest consumer that can exist, then the API (6 min after the release build).
#> On a quiet machine; it needs no make up. Figures go to target/bench/throughput.json and api.json; make bench PAIRS=1
#> is a look. The API's part: CALLERS=64 for more callers at once.
	@BELLHOP_STACK_ENGINE=native $(stack) install
	cargo build --locked --release --package bellhop --package bellhop-tests --bin bellhop --bin bellhop-bench --bin bellhop-bench-api
	@$${CARGO_TARGET_DIR:-target}/release/bellhop-bench
	@$${CARGO_TARGET_DIR:-target}/release/bellhop-bench-api

bench-log: cargo ## Measure what the delivery log costs: recorder, queries over 10 million requests, disk (30 min after the build).
#> On a quiet machine with 15 GB free; it needs no make up. Figures go to target/bench/log.json. A look:
#> make bench-log ATTEMPTS=100000 DELIVERIES=5000
	@BELLHOP_STACK_ENGINE=native $(stack) install
	cargo build --locked --release --package bellhop --package bellhop-tests --bin bellhop --bin bellhop-bench-log
	@$${CARGO_TARGET_DIR:-target}/release/bellhop-bench-log

bench-console: cargo ## Measure each page of the console over a million deliveries: time and weight (6 min after the release build).
#> On a quiet machine; it needs no make up. Figures go to target/bench/console.json. A look:
#> make bench-console DELIVERIES=30000 RUNS=50
	@BELLHOP_STACK_ENGINE=native $(stack) install
	cargo build --locked --release --package bellhop --package bellhop-tests --bin bellhop --bin bellhop-bench-console
	@$${CARGO_TARGET_DIR:-target}/release/bellhop-bench-console

crash: cargo ## Kill, pause and starve workers and servers under load; tell what was lost and repeated (8 min after the build).
#> It needs no make up. Figures go to target/bench/crash.json; make crash ROWS=worker-killed,redis-flushed is a part.
	@BELLHOP_STACK_ENGINE=native $(stack) install
	cargo build --locked --workspace
	@$${CARGO_TARGET_DIR:-target}/debug/bellhop-crash

faults: cargo ## Measure what bad webhooks, bursts and floods cost the healthy (2 h after the release build).
#> On a quiet machine with 4 GiB free in /dev/shm, or FILES=disk. Figures go to target/bench/isolation.json. ROWS=mixed,burst is a
#> part, PAIRS=1 SECONDS=10 RATE=300 EVENTS=10000 a look; bellhop-faults --help has all.
	@BELLHOP_STACK_ENGINE=native $(stack) install
	cargo build --locked --release --package bellhop --package bellhop-tests --bin bellhop --bin bellhop-faults
	@$${CARGO_TARGET_DIR:-target}/release/bellhop-faults

image: ## Build the container image bellhop:<version>, print its size, and run it (15 min on 2 cores).
#> With Docker, Podman or Buildah, whichever is here. Where no registry can be reached, make image BELLHOP_IMAGE_BASE=local,
#> as root, makes the base image from Debian's packages and this machine's Rust.
	@deploy/image/build

fuzz: cargo ## Feed what reads strangers' bytes with bytes that libFuzzer invents (30 s for each of 4, after the build).
#> It needs cargo-fuzz (cargo install cargo-fuzz) and a C++ compiler. RUSTC_BOOTSTRAP=1, set here, lets the stable compiler
#> build with sanitizers. make fuzz SECONDS=600 TARGETS=response_head is longer, of one; finds are kept in target/fuzz.
	@cargo fuzz --version >/dev/null 2>&1 || { echo "cargo-fuzz is missing: cargo install cargo-fuzz" >&2; exit 1; }
	@command -v c++ >/dev/null || deploy/local/install g++
	@for target in $(or $(TARGETS),endpoint_url forbidden_address response_head retry_after); do \
		mkdir -p "target/fuzz/corpus/$$target" "target/fuzz/artifacts/$$target"; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz "$$target" \
			"target/fuzz/corpus/$$target" "tests/fuzz/seeds/$$target" -- \
			-max_total_time=$(or $(SECONDS),30) -timeout=20 -max_len=8192 \
			-artifact_prefix="target/fuzz/artifacts/$$target/"; \
	done

check: cargo ## Check format, lints, documentation, shell scripts and the tree's own rules (first time: minutes).
#> Formatting is mended by cargo fmt; the rest says file and line.
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --locked --no-deps --workspace
	@if command -v shellcheck >/dev/null; then shellcheck --external-sources --source-path=. $(scripts); \
	else echo "shellcheck is not installed: the shell scripts were not checked"; fi
	cargo test --locked --package bellhop-tests --test tidy

clean: ## Stop the stack, throw its data away, and remove everything that was built.
	@$(stack) destroy
	rm -rf target

scripts := deploy/local/stack deploy/local/install deploy/local/run deploy/image/build deploy/image/base deploy/image/root \
	deploy/kubernetes/secrets tests/tools/install .ci/run

cargo:
	@command -v cargo >/dev/null || { \
		version=$$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml); \
		echo "cargo is missing: install Rust $$version or newer, for example with rustup, and try again" >&2; exit 1; }
	@command -v cc >/dev/null || deploy/local/install gcc libc6-dev
