# Everything from nothing but Python 3.11+ and make. Every target sets itself up, and may be run again.
PYTHON ?= python3
# On Linux without a GPU, to spare 3 GB: make PIP_OPTIONS='--extra-index-url https://download.pytorch.org/whl/cpu'
PIP_OPTIONS ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Models, text and tests are in the repository: nothing is fetched after the install.
export HF_HUB_OFFLINE := 1
export TRANSFORMERS_OFFLINE := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Models here are small: with a thread per core the pools of torch and numpy wait for each other, and where anything else
# runs on the machine that takes three times as long.

.PHONY: demo test lint types tests scenarios notebooks docs figures bench clean
.DEFAULT_GOAL := demo

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12 ..."; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "installing (once)"
	@$(BIN)/python -m pip install --quiet $(PIP_OPTIONS) --editable '.[dev]'
	@touch $@

demo: $(READY)  ## investigate the loan decisions of the bundled model; the page is out/demo/index.html
	@rm -rf out/demo
	@OMP_NUM_THREADS=1 $(BIN)/interp-lab investigate experiments/investigations/loans.yaml --quick --out out/demo

test: lint types tests notebooks docs  ## all that must hold

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/ty check

# A process per core. A file stays on one process, for what its tests share; each process takes about 1 GB.
tests: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests --numprocesses=auto --maxprocesses=4 --dist=loadfile --durations=10

scenarios: $(READY)  ## the outcomes of whole investigations, minutes each; not part of `make test`
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/investigation --numprocesses=auto --maxprocesses=4 --dist=loadfile -m scenario --timeout=1200

notebooks: $(READY)
	rm -rf build/notebooks && mkdir -p build/notebooks
	for page in notebooks/*.py; do $(BIN)/jupytext --quiet --to ipynb --output build/$${page%.py}.ipynb $$page || exit 1; done
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --nbmake --nbmake-timeout=300 --numprocesses=auto --maxprocesses=4 build/notebooks

# Every page anew: what a page warned of must be said again. A reference to what does not exist is an error.
docs: $(READY)  ## guides, course and reference, into build/docs/index.html
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -b html -n -W --keep-going -E -a -q -d build/doctrees docs build/docs

figures: $(READY)  ## the README's figures, into docs/figures (needs a Chromium)
	$(BIN)/python experiments/readme_figures.py

bench: $(READY)  ## times as ratios against reference implementations, interleaved; reported, never asserted
	$(BIN)/python -m tests.benchmarks

clean:
	rm -rf build out docs/reference docs/course .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -type d -prune -exec rm -rf {} +
