# `make demo` and `make test` need Python 3.11 or newer and nothing else installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= demo

.PHONY: demo docs notebooks test test-portable heavy mutants lint types bench clean help
# Two installs into one environment at once would break it, whatever -j says.
.NOTPARALLEL:

demo: $(VENV)/.demo
	$(BIN)/hopfield demo --out $(OUT)/

help:
	@echo "make demo    what two tutorials claim, measured: writes $(OUT)/index.html"
	@echo "make docs    the documentation as a site: writes site/index.html"
	@echo "make notebooks  run the scripts of notebooks/ and keep what they print and draw"
	@echo "make test    lint, types, tests, and the numerical core as an older processor computes it"
	@echo "make heavy   slow results and their planted faults; threads, processes, damaged files"
	@echo "make mutants change the library in 400 places, one at a time: tests must notice"
	@echo "make lint    style only        make types   types only"
	@echo "make bench   measure speed and memory: NAMES=\"batch hebb\" for some of them"
	@echo "make clean   remove $(VENV) and what was built"
	@echo "PYTHON=python3.12 names another Python (3.11 or newer)."

test: lint types
	@$(BIN)/python tests/support/processor.py
	$(BIN)/python -m pytest -n 2 --dist loadfile
	$(MAKE) --no-print-directory test-portable

# Without vector instructions, in another order of summation, on one thread: what holds within
# rounding must hold there too.
PORTABLE := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_ENABLE_INSTRUCTIONS=SSE4_2 \
  NUMBA_CPU_NAME=generic NUMBA_CPU_FEATURES= OMP_NUM_THREADS=1
CORE := $(addprefix tests/contract/test_contract,.py _energy.py _masks.py) \
  $(addprefix tests/oracle/test_,separation.py readout.py energy.py kernels_entmax.py)
test-portable: $(VENV)/.test
	@$(PORTABLE) $(BIN)/python tests/support/processor.py
	$(PORTABLE) $(BIN)/python -m pytest --reordered -k 'not derivatives' $(CORE)

# Pages open from the folder, without a server, and ask nothing of the network.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "site/index.html"

# After a change of a script: make notebooks NAMES=walkthrough
notebooks: $(VENV)/.notebooks
	$(BIN)/python notebooks/build.py $(NAMES)

heavy: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist loadfile -m heavy

# Some ten minutes: SAMPLE=40 for fewer.
SAMPLE ?= 400
mutants: $(VENV)/.test
	$(BIN)/python tests/support/mutants.py --sample $(SAMPLE)

lint: $(VENV)/.test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

types: $(VENV)/.test
	$(BIN)/python -m mypy

# All of them, natively and limited to AVX2, about an hour; some of them: make bench NAMES="batch hebb"
bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks $(NAMES)
	$(BIN)/python -m benchmarks $(NAMES) --isa avx2
	$(BIN)/python -m benchmarks page

# One mark per set of extras; all take every version from constraints.txt.
# An environment without a working pip was left half made, and is made again.
$(VENV)/.demo: EXTRAS := all
$(VENV)/.test: EXTRAS := all,test,docs
$(VENV)/.docs: EXTRAS := docs
$(VENV)/.notebooks: EXTRAS := notebooks
$(VENV)/.bench: EXTRAS := bench
$(VENV)/.demo $(VENV)/.docs $(VENV)/.notebooks $(VENV)/.test $(VENV)/.bench: pyproject.toml constraints.txt
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
	rm -rf $(VENV) demo site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
