# Everything a fresh machine needs is set up by these targets: only Python >= 3.11 and make must be there.

PYTHON ?= python3
UV := .uv/bin/uv
BIN := .venv/bin
READY := .venv/.ready
# The machine's own Python and its certificates, as pip uses them (the variable's older name for older uv).
UV_ENV := UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1
QUESTION ?= How long does the battery of the Kestrel handheld really last?

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format bench clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY) ## create .venv with everything that is locked

$(UV):
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet "uv>=0.8"

$(READY): pyproject.toml uv.lock | $(UV)
	$(UV_ENV) $(UV) sync --frozen --quiet --all-extras --python $(PYTHON)
	@touch $(READY)

demo: $(READY) ## run a panel of a tiny local model over examples/corpus: no key, no network
	@$(BIN)/fusion-tool model install
	@$(BIN)/fusion-tool ask "$(QUESTION)" --preset local --docs examples/corpus

test: $(READY) ## run all tests, the real local model's among them
	@$(BIN)/fusion-tool model install
	$(BIN)/pytest -q -n auto --dist worksteal

check: $(READY) ## formatting, lint, types for the oldest and newest Python, import layers
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --python-version 3.11
	$(BIN)/mypy --python-version 3.14
	$(BIN)/lint-imports

format: $(READY) ## rewrite what the formatter and the safe lint fixes can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## the figures of benchmarks/README.md
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script; done

clean: ## remove the environment and every cache
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
