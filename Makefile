# Hearken. `make` alone lists what there is.
.DEFAULT_GOAL := help
.PHONY: help run demo test lint bench release ci

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and serve on 127.0.0.1:8080; needs no configuration
	cargo run -- serve

demo: ## Serve with a pretend provider beside it, to try everything out without an account
	cargo run -- demo

test: tests/simulators/node_modules ## Run every test, on SQLite and PostgreSQL
	.ci/with-postgres .ci/test

lint: ## Check the format and the lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

bench: ## Measure receiving webhooks, on SQLite and PostgreSQL
	.ci/with-postgres cargo bench

release: ## Build the optimised binary, target/release/hearken
	cargo build --release --locked

ci: ## Everything that must hold before a merge
	.ci/run

# What the provider simulators of the tests need.
tests/simulators/node_modules: tests/simulators/package-lock.json
	npm ci --prefix tests/simulators --no-audit --no-fund
	@touch $@
