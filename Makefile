# Everything runs in .venv, which the first target makes. Works with GNU make 3.81 (macOS) and later.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The demo's files. Change it to keep several: make demo DEMO=demo-output-2
DEMO ?= demo-output

# Development is tested with this torch. A plain `torch` is whatever is newest, which on Linux can
# bring gigabytes of CUDA packages. Running Morpheus on a CPU needs no torch at all.
TORCH := torch==2.13.0

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench docs-cli clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed $(DEMO)/field/truth.ecsv  ## classify a small simulated field, find its sources, show what was found
	$(BIN)/morpheus models fetch hausen2020
	$(BIN)/morpheus run -m hausen2020 \
		$(DEMO)/field/f160w_sci.fits $(DEMO)/field/f125w_sci.fits \
		$(DEMO)/field/f606w_sci.fits $(DEMO)/field/f850lp_sci.fits \
		--weight F160W=$(DEMO)/field/f160w_wht.fits \
		--weight F125W=$(DEMO)/field/f125w_wht.fits \
		--weight F606W=$(DEMO)/field/f606w_wht.fits \
		--weight F850LP=$(DEMO)/field/f850lp_wht.fits \
		-o $(DEMO)/out --overwrite
	$(BIN)/python demo/summary.py $(DEMO)

test: $(VENV)/.installed-dev  ## run the tests (options for pytest: make test ARGS="-k tiles")
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.installed-dev  ## check style, types, import rules and docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/numpydoc lint $$(find src -name '*.py')

bench: $(VENV)/.installed-dev  ## measure how fast a field is classified
	$(BIN)/python benchmarks/bench_classify.py $(ARGS)

docs-cli: $(VENV)/.installed-dev  ## write docs/cli.md from the commands' own help
	$(BIN)/typer morpheus.cli utils docs --name morpheus --title "Command line" --output docs/cli.md

clean:  ## remove what the other targets made, but for .venv
	rm -rf demo-output build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests demo docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# truth.ecsv is the last file of the field to be written.
$(DEMO)/field/truth.ecsv: demo/make_field.py | $(VENV)/.installed
	$(BIN)/python demo/make_field.py $(DEMO)/field --overwrite

# The stamps say what is installed; a change of pyproject.toml makes them stale.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Morpheus needs Python 3.11 or newer; $(PYTHON) is" \
			"$$($(PYTHON) --version 2>/dev/null || echo 'not there')." >&2; \
		echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: pyproject.toml | $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@
