# Everything runs in .venv, which the first target makes. Works with GNU make 3.81 (macOS) and later.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# The demo's files. Change it to keep several: make demo DEMO=demo-output-2
DEMO ?= demo-output
FIELD := demo/field

# Development is tested with this torch. A plain `torch` is whatever is newest, which on Linux can
# bring gigabytes of CUDA packages. Running Morpheus on a CPU needs no torch at all.
TORCH := torch==2.13.0

.DEFAULT_GOAL := help
.PHONY: help demo demo-field test lint bench bench-scale hst4 docs docs-cli tutorials clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## classify a small simulated field, find its sources, show what was found
	$(BIN)/morpheus run \
		$(FIELD)/f160w_sci.fits.fz $(FIELD)/f125w_sci.fits.fz \
		$(FIELD)/f606w_sci.fits.fz $(FIELD)/f850lp_sci.fits.fz \
		--weight F160W=$(FIELD)/f160w_wht.fits.fz \
		--weight F125W=$(FIELD)/f125w_wht.fits.fz \
		--weight F606W=$(FIELD)/f606w_wht.fits.fz \
		--weight F850LP=$(FIELD)/f850lp_wht.fits.fz \
		-o $(DEMO)/out --overwrite
	$(BIN)/python demo/summary.py $(FIELD) $(DEMO)/out $(DEMO)/demo.png

# The seed is the first with bright sources of every class; whether the network is right about them
# was not asked.
demo-field: $(VENV)/.installed-dev  ## simulate the demo's field anew
	$(BIN)/morpheus simulate field --survey candels-deep --size 290 --density 400 --seed 10 \
		--compress --no-noiseless -o $(FIELD) --overwrite

# A file of tests in one process, since it shares what takes long to make; in the order of the
# folders, since the longest files are not those with the most tests. Python's own faulthandler, since
# Lightning ends one that is enabled later, as pytest's is: a crash in native code says where it was.
# A test that hangs is ended with its process, since what hangs need not heed an exception; first it is
# said where. No process takes its place: it would begin with the same test.
test: $(VENV)/.installed-dev  ## run the tests (options for pytest: make test ARGS="-k tiles")
	PYTHONFAULTHANDLER=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 \
		--dist loadfile --no-loadscope-reorder \
		--timeout 900 --timeout-method thread --max-worker-restart 0 \
		-o faulthandler_timeout=840 $(ARGS)

lint: $(VENV)/.installed-dev  ## check style, types, import rules and docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/numpydoc lint $$(find src -name '*.py')

bench: $(VENV)/.installed-dev  ## measure how fast a field is classified, and one simulated
	$(BIN)/python benchmarks/bench_classify.py $(ARGS)
	$(BIN)/python benchmarks/bench_dense.py
	$(BIN)/python benchmarks/bench_simulate.py

bench-scale: $(VENV)/.installed-dev  ## measure how a run grows with pixels, workers and sources: an hour
	$(BIN)/python benchmarks/bench_scale.py $(ARGS)

# Nothing of it is needed to use Morpheus. Each step goes on where it was ended.
JOBS ?= 2
DATA := training/data
ALONE := simulate stamps --survey xdf-6 --alone --jobs $(JOBS)
hst4: $(VENV)/.installed-dev  ## simulate the default model's data and train it anew: hours
	mkdir -p $(DATA)
	$(BIN)/morpheus models fetch hausen2020
	test -d $(DATA)/sky.zarr || $(BIN)/morpheus simulate dataset --survey xdf-6 --no-defects \
		-n 1000 --size 256 --seed 50001 --jobs $(JOBS) -o $(DATA)/sky.zarr
	test -d $(DATA)/balanced.zarr || $(BIN)/morpheus $(ALONE) --balance \
		--faintest 24.5 -n 2600 --size 128 --shift 12 --seed 50002 -o $(DATA)/balanced.zarr
	test -d $(DATA)/natural.zarr || $(BIN)/morpheus $(ALONE) \
		--faintest 24.5 -n 3600 --size 128 --shift 12 --seed 50004 -o $(DATA)/natural.zarr
	test -d $(DATA)/big.zarr || $(BIN)/morpheus $(ALONE) \
		--faintest 20.5 -n 200 --size 256 --shift 20 --seed 50003 -o $(DATA)/big.zarr
	$(BIN)/morpheus train training/first.toml -o training/first --workers 1
	$(BIN)/morpheus train training/hst4.toml -o training/hst4 --workers 1

# All of it anew: a page of a function that is no more would stay otherwise.
docs: $(VENV)/.installed-dev  ## build the documentation's site: build/docs/index.html
	rm -rf build/docs build/doctrees docs/generated
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --jobs auto \
		--conf-dir docs --doctree-dir build/doctrees . build/docs

docs-cli: $(VENV)/.installed-dev  ## write docs/cli.md from the commands' own help
	$(BIN)/typer morpheus.cli utils docs --name morpheus --title "Command line" --output docs/cli.md

tutorials: $(VENV)/.installed-dev  ## run the notebooks of tutorials/ again, for what they show
	$(BIN)/python tutorials/run.py

clean:  ## remove what the other targets made, but for .venv
	rm -rf demo-output tutorials/output build dist docs/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests demo docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

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
