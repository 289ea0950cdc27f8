# Two commands for newcomers: `make run` trains a VAE on real digits, `make test` runs the tests.
# Each does all the set-up on a fresh machine, once, in .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
PROGRAM ?= programs/vae.gml
ARGS ?=

# Which torch: "default" (the version in constraints.txt, from wherever pip is configured to look),
# "cuda" (pip's default build, which must have CUDA) or "system" (the one outside of .venv).
# An environment keeps its choice until another is asked for.
INSTALLED := $(shell cat $(VENV)/.torch 2>/dev/null)
TORCH ?= $(or $(INSTALLED),default)
ifeq ($(filter $(TORCH),default cuda system),)
$(error TORCH=$(TORCH) is not one of default, cuda, system)
endif
ifneq ($(filter-out $(TORCH),$(INSTALLED)),)
.PHONY: $(STAMP)
endif
, := ,
EXTRAS := $(if $(filter cuda,$(TORCH)),train$(,)cuda$(,)dev,train$(,)dev)

export OMP_NUM_THREADS ?= $(shell nproc 2>/dev/null || echo 2)

.PHONY: help setup run test test-kernels test-triton36 bench lint types layers fmt ci clean

help:
	@echo "make run    set up and train $(PROGRAM) into runs/ (PROGRAM=..., ARGS=\"--steps 500\")"
	@echo "make test   set up and run the tests (ARGS=\"tests/ops -x\")"
	@echo "            test-kernels: those under Triton's interpreter; test-triton36: with Triton 3.6"
	@echo
	@echo "make setup  create .venv and install (TORCH=cuda: a CUDA build; TORCH=system: your own)"
	@echo "make bench  run the benchmarks, write the tables (ARGS=\"cpu --rounds 5\": one of them)"
	@echo "make lint   ruff check and format;  make types: mypy --strict;  make layers: import-linter"
	@echo "make fmt    put shipped programs and Python files into their canonical layout"
	@echo "make ci     everything that CI runs, in a fresh environment"
	@echo "make clean  remove .venv and caches (runs/ stays)"

setup: $(STAMP)
	@cat $(VENV)/.built

$(STAMP): pyproject.toml constraints.txt
	@bash .ci/setup "$(PYTHON)" "$(VENV)" "$(TORCH)" "$(EXTRAS)"
	@touch $@

run: $(STAMP)
	$(BIN)/gendsl run $(PROGRAM) $(ARGS)

# Two processes: Triton interprets or compiles, as it is told when it is imported.
test: $(STAMP)
	$(BIN)/python -m pytest $(ARGS)
	$(if $(ARGS),,TRITON_INTERPRET=1 $(BIN)/python -m pytest tests/triton_interpret)

test-kernels: $(STAMP)
	TRITON_INTERPRET=1 $(BIN)/python -m pytest tests/triton_interpret $(ARGS)

# The same kernels with the oldest Triton that is supported, in an environment of its own.
test-triton36:
	$(PYTHON) -m venv .venv-triton36
	.venv-triton36/bin/python -m pip install -qq --disable-pip-version-check \
	  -e ".[train]" torch==2.11.0 triton==3.6.0 numpy==2.3.5 pytest hypothesis
	TRITON_INTERPRET=1 .venv-triton36/bin/python -m pytest tests/triton_interpret
	.venv-triton36/bin/python -m pytest tests/triton_compile tests/triton_cuda

bench: $(STAMP)
	$(BIN)/python -m benchmarks $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/gendsl fmt --check stdlib programs

types: $(STAMP)
	$(BIN)/mypy --strict gendsl backends

layers: $(STAMP)
	$(BIN)/lint-imports

fmt: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/gendsl fmt stdlib programs

ci:
	bash .ci/run

clean:
	rm -rf $(VENV) .venv-ci .venv-triton36 dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
