# make demo             set everything up, then run the main job on real input
# make demo VIDEOS=dir  the same on your own videos
# make test             set everything up, then run every check and test
# make test-slow        the tests that take longer: leaks, many mutations of files, stalled downloads, explanations by I3D
# make clean            remove what these made

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Waiting threads that spin slow a busy machine down several times.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test test-slow check clean

demo: $(VENV)/demo
	$(BIN)/python examples/demo.py $(if $(VIDEOS),"$(VIDEOS)")

# Each of two processes goes through its half of the tests in order, so that what a file shares is made once.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

test: $(VENV)/test check
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/test
	$(PYTEST) -m slow

check: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

clean:
	rm -rf $(VENV) build dist demo *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --upgrade pip
	touch $@

$(VENV)/demo: $(VENV)/python setup.cfg .ci/constraints.txt
	$(BIN)/python -m pip install -qq -c .ci/constraints.txt -e '.[cpu]'
	touch $@

$(VENV)/test: $(VENV)/python setup.cfg .ci/constraints.txt
	$(BIN)/python -m pip install -qq -c .ci/constraints.txt -e '.[dev]'
	touch $@ $(VENV)/demo
