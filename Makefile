# The verbs of this project; `make` alone explains them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
SIZE ?= small

# uv from the PATH, else from PyPI into a folder of this checkout. Nothing is installed outside of it.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --frozen --no-sync
export UV_PYTHON_PREFERENCE ?= system

.PHONY: help
help: ## Explain the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

.uv/bin/uv:
	@$(PYTHON) -m venv .uv && .uv/bin/pip --quiet --disable-pip-version-check install uv

.venv/.ready: pyproject.toml uv.lock $(if $(findstring .uv,$(UV)),.uv/bin/uv)
	@$(UV) sync --frozen --quiet && touch $@

.PHONY: install
install: .venv/.ready ## Install everything into this checkout (.venv)

.PHONY: serve
serve: install ## Start everything and serve on http://127.0.0.1:8080 (OVERBOOKR_PORT)
	@exec .venv/bin/overbookr serve --welcome

.PHONY: demo
demo: install ## Run an on-sale with 2,000 simulated buyers against the running server
	@exec .venv/bin/overbookr demo

.PHONY: test
test: install test-deps ## Run all tests
	@$(RUN) pytest -q

.PHONY: test-deps
test-deps: ## Install the Debian packages that only tests need, when root and apt are there
	@./scripts/install_test_packages.sh

.PHONY: lint
lint: install ## Style, imports, SQL migrations
	@$(RUN) ruff check . && $(RUN) ruff format --check . && $(RUN) lint-imports --no-cache && \
	  $(RUN) squawk --config .squawk.toml src/overbookr/database/migrations/*.sql

.PHONY: types
types: install ## mypy --strict
	@$(RUN) mypy

.PHONY: docs
docs: install ## Build the documentation into site/
	@$(RUN) zensical build --clean --strict

.PHONY: check
check: lint types docs ## Everything that can be checked without running: lint, types, import law, docs

.PHONY: format
format: install ## Format the code
	@$(RUN) ruff format . && $(RUN) ruff check --fix .

.PHONY: prove
prove: install test-deps ## Prove what is promised by breaking it: SIZE=small (minutes) or full (hours), SEED=n, PARTS="..."
	@$(RUN) python -m proof --size $(SIZE) $(if $(SEED),--seed $(SEED)) $(PARTS)

.PHONY: bench
bench: install ## Measure as ratios of one run: SIZE=small or full (default), SECONDS, REPETITIONS, ONLY="...", PEER=url, JSON=file
	@$(RUN) python -m bench --size $(if $(filter file,$(origin SIZE)),full,$(SIZE)) $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(REPETITIONS),--repetitions $(REPETITIONS)) $(if $(ONLY),--only $(ONLY)) $(if $(PEER),--peer $(PEER)) $(if $(JSON),--json $(JSON))

.PHONY: clean
clean: ## Remove what was installed and built here (not your data)
	@rm -rf .venv .uv site dist build .mypy_cache .ruff_cache .pytest_cache
