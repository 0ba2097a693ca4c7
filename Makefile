# Everything a fresh machine needs is set up by these targets: only Python >= 3.11 and make must be there.

PYTHON ?= python3
UV := .uv/bin/uv
FLOORS := .venv-floors
# Each is a resolution of its own, and a run of the suite: crewai holds openai at 2, LangChain's adapters mcp at 1.
MAJORS := older newer
older_MAJORS := openai==2.* mcp==1.*
older_GROUPS := --group dev --group adapters
newer_MAJORS := openai==3.* mcp==2.*
newer_GROUPS := --group dev
BIN := .venv/bin
READY := .venv/.ready
PYTHON_CLIENTS := .venv-clients/.ready
NODE_CLIENTS := tests/clients/node_modules/.ready
# The machine's own Python and its certificates, as pip uses them (the variable's older name for older uv).
UV_ENV := UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1
MODEL ?= smollm2
# The tiny model gets one that it can read off; the other one is disputed in the corpus.
DISPUTED := How long does the battery of the Kestrel handheld really last?
QUESTION ?= $(if $(filter smollm2%,$(MODEL)),What was the final cost of the Norrholm bridge?,$(DISPUTED))

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lock check-floors $(MAJORS:%=check-floors-%) format bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY) ## create .venv with everything that is locked

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet "uv>=0.8"

$(READY): pyproject.toml uv.lock | $(UV)
	$(UV_ENV) $(UV) sync --frozen --quiet --all-extras --python $(PYTHON)
	@touch $(READY)

# Programs that talk to the servers: they pin what the package must not, so they live beside it.
$(PYTHON_CLIENTS): tests/clients/requirements.txt | $(UV)
	$(UV_ENV) $(UV) venv --clear --quiet --python $(PYTHON) .venv-clients
	$(UV_ENV) $(UV) pip sync --quiet --python .venv-clients/bin/python tests/clients/requirements.txt
	@touch $@

$(NODE_CLIENTS): tests/clients/package-lock.json
	@if command -v npm >/dev/null; then cd tests/clients && npm ci --ignore-scripts --loglevel=error; \
	else echo "npm is not installed: the tests with clients of node are skipped"; mkdir -p $(@D); fi
	@touch $@

demo: $(READY) ## run a panel of a local model over examples/corpus, no key: a tiny one, or MODEL=qwen (1.1 GB)
	@$(BIN)/fusion-tool model install $(MODEL) --yes
	@$(BIN)/fusion-tool ask "$(QUESTION)" --preset local:$(MODEL) --docs examples/corpus

test: $(READY) $(PYTHON_CLIENTS) $(NODE_CLIENTS) ## run all tests, the real local model's and real clients' among them
	@$(BIN)/fusion-tool model install
	$(BIN)/pytest -q -n auto --dist worksteal

check: $(READY) ## formatting, lint, types for the oldest and newest Python, import layers
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --python-version 3.11
	$(BIN)/mypy --python-version 3.14
	$(BIN)/lint-imports

check-floors: $(MAJORS:%=check-floors-%) ## all tests but the local model's, with the oldest versions that pyproject.toml allows

$(MAJORS:%=check-floors-%): check-floors-%: $(READY)
	$(UV_ENV) $(UV) venv --clear --quiet --python $(PYTHON) $(FLOORS)/$*
	printf '%s\n' '$(subst $() $(),' ',$($*_MAJORS))' > $(FLOORS)/$*/majors.txt
	$(UV_ENV) $(UV) pip compile --quiet --all-extras $($*_GROUPS) --resolution lowest-direct \
		--constraint $(FLOORS)/$*/majors.txt --python $(FLOORS)/$*/bin/python --output-file $(FLOORS)/$*/floors.txt \
		pyproject.toml >/dev/null
	$(UV_ENV) $(UV) pip install --quiet --python $(FLOORS)/$*/bin/python --requirements $(FLOORS)/$*/floors.txt --editable .
	$(FLOORS)/$*/bin/pytest -q -n auto --dist worksteal -m "not local_model"

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
	rm -rf .venv .venv-clients tests/clients/node_modules $(FLOORS) .uv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
