# The verbs of this project; `make` alone explains them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
SIZE ?= small
TEST_PROCESSES ?= auto

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

# The pages are built with the Node in .venv, which comes from PyPI; the machine's own, if it has one, is left alone.
WEB := PATH="$(CURDIR)/.venv/bin:$$PATH" npm --prefix web --silent
PAGES := src/overbookr/ui/built/index.html

web/node_modules/.ready: web/package.json web/package-lock.json | .venv/.ready
	@$(WEB) ci --no-audit --no-fund && touch $@

$(PAGES): $(shell find web/src -type f) web/index.html web/example.html web/vite.config.ts web/vite.embed.config.ts web/tsconfig.json web/node_modules/.ready
	@$(WEB) run build && touch $@

.PHONY: install
install: .venv/.ready $(PAGES) ## Install everything into this checkout (.venv), build the pages

.PHONY: serve
serve: install ## Start everything and serve on http://127.0.0.1:8080 (OVERBOOKR_PORT)
	@exec .venv/bin/overbookr serve --welcome

.PHONY: demo
demo: install ## Run an on-sale with 2,000 simulated buyers against the running server
	@exec .venv/bin/overbookr demo

.PHONY: test
test: install test-deps ## Run all tests, on each core some (TEST_PROCESSES=auto, or a number)
	@$(RUN) pytest -q -n $(TEST_PROCESSES) --dist loadgroup --no-loadscope-reorder

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

.PHONY: web
web: install ## The pages: types, style, their rules, and that their client fits the API
	@mkdir -p web/.cache && $(RUN) python scripts/write_openapi.py web/.cache/openapi.json
	@$(WEB) run client -- --check && $(WEB) run types && $(WEB) run lint && $(WEB) test

.PHONY: client
client: install ## Write the types of the pages' client anew, after a change of the API
	@mkdir -p web/.cache && $(RUN) python scripts/write_openapi.py web/.cache/openapi.json && $(WEB) run client

.PHONY: screenshots
screenshots: install test-deps ## Take pictures of the pages into docs/screenshots/
	@$(RUN) python -m tests.ui.take_screenshots

.PHONY: docs
docs: install ## Build the documentation into site/
	@$(RUN) zensical build --clean --strict

.PHONY: check
check: lint types web docs ## Everything that can be checked without running: lint, types, import law, pages, docs

.PHONY: format
format: install ## Format the code
	@$(RUN) ruff format . && $(RUN) ruff check --fix . && $(WEB) run format

.PHONY: prove
prove: install test-deps ## Prove what is promised by breaking it: SIZE=small (minutes) or full (hours), SEED=n, PARTS="..."
	@$(RUN) python -m proof --size $(SIZE) $(if $(SEED),--seed $(SEED)) $(PARTS)

.PHONY: bench
bench: install ## Measure as ratios of one run: SIZE=small or full (default), SECONDS, REPETITIONS, ONLY="...", JSON=file,
bench: install #  in slices by RESUME=1 MINUTES=n, beside another server by PEER=url or PEER_COMMAND="..." PEER_MIGRATIONS=folder
	@$(RUN) python -m bench --size $(if $(filter file,$(origin SIZE)),full,$(SIZE)) $(if $(SECONDS),--seconds $(SECONDS)) \
	  $(if $(REPETITIONS),--repetitions $(REPETITIONS)) $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON)) \
	  $(if $(RESUME),--resume) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(PEER),--peer $(PEER)) \
	  $(if $(PEER_COMMAND),--peer-command "$(PEER_COMMAND)") $(if $(PEER_MIGRATIONS),--peer-migrations $(PEER_MIGRATIONS))

.PHONY: clean
clean: ## Remove what was installed and built here (not your data)
	@rm -rf .venv .uv site dist build .mypy_cache .ruff_cache .pytest_cache web/node_modules web/.cache src/overbookr/ui/built
