# Two commands on a fresh machine: `make demo` sets up everything and runs the main job; `make test` runs the test suite.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export UV_PYTHON_DOWNLOADS := never
export UV_COMPILE_BYTECODE := 1
# Trust what the machine trusts (a proxy's certificate, say), as pip does.
export UV_SYSTEM_CERTS := 1
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
# Bytecode is written on purpose: without it every start recompiles every library.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint lock clean

demo: $(VENV)/run.stamp ## set up, make a sample, run the night, ask the endpoint
	@$(BIN)/nightloom demo

test: $(VENV)/dev.stamp ## the whole test suite
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/dev.stamp ## style, types, layers
	@$(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

$(VENV)/bin/uv:
	@echo "nightloom: making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.8

$(VENV)/run.stamp: requirements.txt pyproject.toml $(VENV)/bin/uv
	@echo "nightloom: installing the locked requirements (about a minute)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.txt \
		|| { echo "nightloom: uv could not; trying pip (some minutes)"; $(BIN)/python -m pip install --quiet --require-hashes -r requirements.txt; }
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --disable-pip-version-check -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	@echo "nightloom: installing what the tests need"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt \
		|| $(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

lock: $(VENV)/bin/uv ## renew the lock files from requirements*.in
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 requirements.in --generate-hashes --no-header -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 requirements-dev.in --generate-hashes --no-header -o requirements-dev.txt

clean: ## remove what the machine wrote, but not the environment
	@find data -mindepth 1 -maxdepth 1 ! -name README.md ! -name sample -exec rm -rf {} +
