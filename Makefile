# Every target installs what it needs into .venv, again only when the dependencies change. The machine
# needs Python 3.11 or newer and make.

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

.DEFAULT_GOAL := help
.PHONY: help run install test viz graph lint bench notebook clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1|/' | \
		while IFS='|' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

run: $(INSTALLED) ## Run all stages on the embedded digits; ENV=fashion_3v0 for another environment
	$(BIN)/kedro run $(if $(ENV),--env $(ENV))

install: $(INSTALLED) ## Install only

test: $(INSTALLED) ## Run the tests
	@# One thread per worker: more threads than cores would slow both down.
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --no-loadscope-reorder

viz: $(INSTALLED) ## Open the graph of the pipelines in the browser
	$(BIN)/kedro viz run $(if $(ENV),--env $(ENV))

graph: $(INSTALLED) ## Write the graph to build/ as static files, to publish
	$(if $(ENV),KEDRO_ENV=$(ENV)) $(BIN)/kedro viz build --include-previews

lint: $(INSTALLED) ## Check style, types and import layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED) ## Measure speed beside reference code (a line `ratio` is theirs / ours), and reproducibility
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/boundary_search.py
	$(BIN)/python benchmarks/presets.py
	$(BIN)/python benchmarks/flow.py
	$(BIN)/python benchmarks/frechet_interval.py
	$(BIN)/python benchmarks/clustering_search.py
	$(BIN)/python benchmarks/clustering_scale.py
	$(BIN)/python benchmarks/scaling.py
	@# 256 pixels take another half an hour, and 11 GB.
	$(BIN)/python benchmarks/larger_images.py --sides 28 64 128
	$(BIN)/python benchmarks/stages.py
	@# Twelve runs, about two hours: the last one.
	$(BIN)/python benchmarks/reproducibility.py

notebook: $(INSTALLED) ## Open the notebooks
	$(BIN)/kedro jupyter lab notebooks

clean: ## Remove the virtual environment and the caches; data/ stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache src/*.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found: install it, or set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@
