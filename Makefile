# `make demo` and `make test` need Python 3.11 or newer and nothing else installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo

.PHONY: demo test lint types bench clean help
# Two installs into one environment at once would break it, whatever -j says.
.NOTPARALLEL:

demo: $(VENV)/.demo
	$(BIN)/hopfield demo --out $(OUT)/

help:
	@echo "make demo    what two tutorials claim, measured: writes $(OUT)/index.html"
	@echo "make test    lint, types, tests"
	@echo "make lint    style only        make types   types only"
	@echo "make bench   measure speed and memory: NAMES=\"batch hebb\" for some of them"
	@echo "make clean   remove $(VENV) and what was built"
	@echo "PYTHON=python3.12 names another Python (3.11 or newer)."

test: lint types
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

types: $(VENV)/.test
	$(BIN)/python -m mypy

# All of them, about half an hour; some of them: make bench NAMES="batch hebb"
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks $(NAMES)
	$(BIN)/python -m benchmarks page

# One mark per set of extras; both take every version from constraints.txt.
# An environment without a working pip was left half made, and is made again.
$(VENV)/.demo: EXTRAS := all
$(VENV)/.test: EXTRAS := all,test
$(VENV)/.bench: EXTRAS := bench
$(VENV)/.demo $(VENV)/.test $(VENV)/.bench: pyproject.toml constraints.txt
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(MAKE) --no-print-directory environment
	@echo "Installing hopfield[$(EXTRAS)] into $(VENV): some minutes the first time." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@

.PHONY: environment
environment:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "hopfield needs Python 3.11 or newer, which '$(PYTHON)' is not." \
	    "Name one, as in: make test PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || \
	  { echo "'$(PYTHON)' could not make an environment." \
	    "On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

clean:
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
