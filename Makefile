# Every target sets up what it needs in .venv first; a second call finds it there.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
OLDEST ?= .venv-oldest
NEWEST ?= .venv-newest
BIN := $(VENV)/bin
# What is installed: the versions of locks/, which `make lock` writes anew.
LOCKED := pyproject.toml $(wildcard locks/python*.txt) locks/install.py
INSTALL := $(BIN)/python -m locks.install
NOTEBOOKS := $(wildcard demo_notebooks/*.ipynb)
# Where this is set, each of the kernels and workers that the tests start compiles everything anew: half as much computing again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test slow generated check rest lint types library suites windows-like notebooks refresh-notebooks browser docs picture lab oldest newest lock busy stress doctests notebooks-alike by-hand clean

help:
	@echo "make demo      run the quickstart notebook, print its report, write build/demo.html"
	@echo "make test      run the tests, but for the slow ones"
	@echo "make slow      run the slow tests: in real kernels and front ends, with real measurements, and each that computes for a second"
	@echo "make check     ruff, mypy, all tests, JupyterLab in a real browser, the notebooks and the docs"
	@echo "make generated lift 20,000 generated cells and compare what they leave with plain execution"
	@echo "make library   call what the tables of installed functions describe, and compare"
	@echo "make suites    run the tests of CPython, joblib and mpire on our executors and pools"
	@echo "make windows-like  run the core of the tests in a Python without what Windows lacks (fork, /proc, fcntl, …)"
	@echo "make docs      build the documentation: build/docs/index.html"
	@echo "make lab       open JupyterLab on the demo notebooks"
	@echo "make oldest    run the tests with the oldest versions of everything"
	@echo "make newest    run the tests with the newest versions of everything, and say which fail with what"
	@echo "make lock      lock the newest versions of everything that these targets install"
	@echo "make busy      run the tests three times while four other processes spin (RUNS=3 SPINNERS=4)"
	@echo "make stress    interrupt, kill and restart kernels at random moments for ten minutes, then scripts that resume (SECONDS=600 KILLS=30)"
	@echo "make doctests  run a folder's doctests with its loops on workers and without (REPO=folder), and compare"
	@echo "make notebooks-alike  run a folder's notebooks with the magic on cells that loop and without (REPO=folder), and compare"
	@echo "make by-hand   compare our numbers with a timing written by hand"

demo: $(VENV)/test.stamp
	@mkdir -p build
	@$(BIN)/python demo_notebooks/run.py demo_notebooks/01_quickstart.ipynb --show --html build/demo.html

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest --durations=10 $(or $(TESTS),-m "not slow" --ignore=tests/system --ignore=tests/suites --ignore=tests/cells/effects/test_library.py)

# The whole from outside (real kernels and front ends, measured truths, other people's doctests and notebooks, what mypy says of a user's
# script), and what `make test` leaves out: tests/conftest.py says which tests are slow beside those that are marked so.
slow: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m slow --ignore=tests/system/browser --ignore=tests/suites --ignore=tests/cells/effects/test_library.py

# 20,000 cells take some 15 minutes. CELLS=... for another number; SEED=..., which a wrong one is shown with, draws the same ones again.
generated: $(VENV)/test.stamp
	CONCOMPARE_CELLS=$(or $(CELLS),20000) CONCOMPARE_SEED=$(SEED) $(BIN)/python -m pytest tests/cells/test_generated.py --numprocesses=0 -o faulthandler_timeout=0

check: lint types test slow library suites windows-like docs browser notebooks

# What `make check` does beyond `make test`.
rest: lint types slow library suites windows-like docs browser notebooks

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

# The tests of CPython, joblib and mpire for what ours stands in for, where they are installed.
suites: $(VENV)/test.stamp
	$(BIN)/python -m pytest tests/suites

# Calls what the tables of installed functions describe, and sees whether they say enough: some 5,000 entries.
library: $(VENV)/test.stamp
	$(BIN)/python -m pytest tests/cells/effects/test_library.py

# The hook in that folder hides it, in workers and kernels too, and says what it cannot pretend. `processes` spawns there,
# so that the same tests of `spawn` would say nothing else.
WINDOWS_LIKE := tests/system/windows_like tests/backends/test_contract.py tests/engine/test_worker_loss.py tests/engine/test_worker_loss_endings.py \
	tests/engine/pools tests/engine/shortcuts tests/engine/transport tests/worker tests/test_machine.py tests/test_interrupts.py tests/ipython/test_magics_interrupt.py \
	tests/system/kernel/test_kernel.py
windows-like: $(VENV)/test.stamp
	PYTHONPATH=$(CURDIR)/tests/system/windows_like/startup $(BIN)/python -m pytest $(or $(TESTS),$(WINDOWS_LIKE) -k 'not spawn')

notebooks: $(VENV)/test.stamp
	@mkdir -p build/notebooks
	$(BIN)/python demo_notebooks/run.py $(NOTEBOOKS) --folder build/notebooks

# Writes the outputs that are committed with the notebooks, and the page that is made of them.
refresh-notebooks: $(VENV)/test.stamp
	$(BIN)/python demo_notebooks/run.py $(NOTEBOOKS) --in-place
	$(BIN)/python docs/answer.py

# Pictures of what it looked like are in build/browser. Needs Chromium, and npm for axe-core; says so and skips where
# there is none. What axe-core finds in the pages of `make docs` is told where they are built.
browser: $(VENV)/browser.stamp
	$(BIN)/python -m pytest tests/system/browser

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
	$(OLDEST)/bin/python -m pytest $(or $(TESTS),tests/test_api.py tests/test_machine.py tests/ipython tests/system/kernel)

# Always in a new environment, so that nothing of an earlier run is left in it.
newest: $(VENV)/test.stamp
	rm -rf $(NEWEST)
	$(MAKE) --no-print-directory $(NEWEST)/bin/python
	$(BIN)/python -m locks.newest $(NEWEST) $(or $(TESTS),--ignore=tests/system/browser)

# uv asks the index that its own configuration names (UV_DEFAULT_INDEX), else its default.
lock: .venv-lock/uv.stamp
	.venv-lock/bin/python -m locks.lock .venv-lock/bin/uv

RUNS ?= 3
SPINNERS ?= 4
busy: $(VENV)/test.stamp
	$(BIN)/python -m tests.system.stress.busy --runs $(RUNS) --spinners $(SPINNERS) -- $(or $(TESTS),--ignore=tests/system/browser)

SECONDS ?= 600
KILLS ?= 30
stress: $(VENV)/test.stamp
	$(BIN)/python -m tests.system.stress.stress --seconds $(SECONDS)
	$(BIN)/python -m tests.system.stress.resumes --kills $(KILLS)

# What the folder needs has to be importable here. OPTIONS=... for others: --only PART, --backends threads, --save FILE.
doctests: $(VENV)/test.stamp
	@test -n "$(REPO)" || { echo "say which folder: make doctests REPO=folder"; exit 1; }
	$(BIN)/python -m tests.system.doctests.doctests $(REPO) $(OPTIONS)

# What the notebooks need has to be importable here. OPTIONS=... for others: --only PART, --every, --magics "-b threads", --save FILE.
notebooks-alike: $(VENV)/test.stamp
	@test -n "$(REPO)" || { echo "say which folder: make notebooks-alike REPO=folder"; exit 1; }
	$(BIN)/python -m tests.system.alike.notebooks_alike $(REPO) $(OPTIONS)

by-hand: $(VENV)/test.stamp
	$(BIN)/python benchmarks/by_hand.py

clean:
	rm -rf .venv .venv-oldest .venv-newest .venv-lock build .mypy_cache .pytest_cache .ruff_cache

# python3 -m venv needs Debian's python3-venv; virtualenv does without.
%/bin/python:
	@test -n "$(PYTHON)" || { echo "concompare needs Python 3.11 or newer: set PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $* || { rm -rf $*; $(PYTHON) -m pip install --quiet --user --break-system-packages virtualenv && $(PYTHON) -m virtualenv --quiet $*; }

$(VENV)/test.stamp: $(LOCKED) | $(BIN)/python
	$(INSTALL) test
	@$(BIN)/python -m compileall -q src  # once, and not by all that start together
	@touch $@

$(VENV)/dev.stamp: $(VENV)/test.stamp
	$(INSTALL) dev
	@touch $@

$(VENV)/lab.stamp: $(VENV)/test.stamp
	$(INSTALL) test lab
	@touch $@

# axe-core is in no Python package; where npm cannot bring it, its tests say so and skip.
AXE := tests/system/browser/package.json tests/system/browser/package-lock.json
$(VENV)/browser.stamp: $(VENV)/test.stamp $(AXE)
	$(INSTALL) test browser
	@mkdir -p $(VENV)/axe && cp $(AXE) $(VENV)/axe/
	@(cd $(VENV)/axe && npm ci --ignore-scripts --no-audit --no-fund --silent) || echo "NO ACCESSIBILITY TESTS: npm could not install axe-core" >&2
	@touch $@

$(VENV)/docs.stamp: $(VENV)/test.stamp
	$(INSTALL) test docs
	@touch $@

.venv-lock/uv.stamp: | .venv-lock/bin/python
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check --upgrade uv
	@touch $@

$(OLDEST)/test.stamp: pyproject.toml requirements-oldest.txt | $(OLDEST)/bin/python
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint requirements-oldest.txt --editable '.[test]'
	@touch $@
