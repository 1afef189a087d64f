# Every target sets up what it needs in .venv first; a second call finds it there.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
OLDEST ?= .venv-oldest
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
NOTEBOOKS := $(wildcard demo_notebooks/*.ipynb)

.DEFAULT_GOAL := help
.PHONY: help demo test generated check rest lint types notebooks refresh-notebooks browser docs picture lab oldest stress by-hand clean

help:
	@echo "make demo      run the quickstart notebook, print its report, write build/demo.html"
	@echo "make test      run the tests"
	@echo "make check     ruff, mypy, the tests, JupyterLab in a real browser, the notebooks and the docs"
	@echo "make generated lift 20,000 generated cells and compare what they leave with plain execution"
	@echo "make docs      build the documentation: build/docs/index.html"
	@echo "make lab       open JupyterLab on the demo notebooks"
	@echo "make oldest    run the tests with the oldest versions of everything"
	@echo "make stress    interrupt, kill and restart kernels at random moments for ten minutes (SECONDS=600)"
	@echo "make by-hand   compare our numbers with a timing written by hand"

demo: $(VENV)/test.stamp
	@mkdir -p build
	@$(BIN)/python demo_notebooks/run.py demo_notebooks/01_quickstart.ipynb --show --html build/demo.html

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest $(or $(TESTS),--ignore=tests/browser)

# 20,000 cells take some 5 minutes. CELLS=... for another number, SEED=... to draw the same ones again.
generated: $(VENV)/test.stamp
	CONCOMPARE_CELLS=$(or $(CELLS),20000) $(if $(SEED),CONCOMPARE_SEED=$(SEED)) $(BIN)/python -m pytest tests/cells/test_generated.py --numprocesses=0 -o faulthandler_timeout=0

check: lint types test browser notebooks docs

# What `make check` does beyond `make test`.
rest: lint types browser notebooks docs

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

notebooks: $(VENV)/test.stamp
	@mkdir -p build/notebooks
	$(BIN)/python demo_notebooks/run.py $(NOTEBOOKS) --folder build/notebooks

# Writes the outputs that are committed with the notebooks.
refresh-notebooks: $(VENV)/test.stamp
	$(BIN)/python demo_notebooks/run.py $(NOTEBOOKS) --in-place

# Pictures of what it looked like are in build/browser. Needs Chromium; says so and skips where there is none.
browser: $(VENV)/browser.stamp
	$(BIN)/python -m pytest tests/browser

docs: $(VENV)/docs.stamp
	$(BIN)/python -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/docs
	@echo "wrote build/docs/index.html"

# The README's picture, of the report in the committed quickstart notebook: after refresh-notebooks.
picture: $(VENV)/browser.stamp
	$(BIN)/python docs/picture.py

# The root is this folder, so that the findings' links lead to their pages.
lab: $(VENV)/lab.stamp
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/demo_notebooks

oldest: $(OLDEST)/test.stamp
	$(OLDEST)/bin/python -m pytest $(or $(TESTS),tests/api tests/machine tests/magics tests/kernel)

SECONDS ?= 600
stress: $(VENV)/test.stamp
	$(BIN)/python -m tests.stress.stress --seconds $(SECONDS)

by-hand: $(VENV)/test.stamp
	$(BIN)/python benchmarks/by_hand.py

clean:
	rm -rf .venv .venv-oldest build .mypy_cache .pytest_cache .ruff_cache

# python3 -m venv needs Debian's python3-venv; virtualenv does without.
%/bin/python:
	@test -n "$(PYTHON)" || { echo "concompare needs Python 3.11 or newer: set PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $* || { rm -rf $*; $(PYTHON) -m pip install --quiet --user --break-system-packages virtualenv && $(PYTHON) -m virtualenv --quiet $*; }

$(VENV)/test.stamp: pyproject.toml | $(BIN)/python
	$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml $(VENV)/test.stamp
	$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/lab.stamp: pyproject.toml $(VENV)/test.stamp
	$(PIP) --editable '.[test,lab]'
	@touch $@

$(VENV)/browser.stamp: pyproject.toml $(VENV)/test.stamp
	$(PIP) --editable '.[test,browser]'
	@touch $@

$(VENV)/docs.stamp: pyproject.toml $(VENV)/test.stamp
	$(PIP) --editable '.[test,docs]'
	@touch $@

$(OLDEST)/test.stamp: pyproject.toml requirements-oldest.txt | $(OLDEST)/bin/python
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements-oldest.txt --editable '.[test]'
	@touch $@
