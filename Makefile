# make demo             set everything up, then run the main job on real input
# make demo VIDEOS=dir  the same on your own videos
# make test             set everything up, then run every check and test
# make test-slow        the tests that take longer: long runs, many mutations of files, stalled downloads, explanations by I3D
# make test-lowest      the tests with the lowest versions that setup.cfg allows, in an environment of its own (uv)
# make test-newest      the tests with the newest versions of everything, and with torchcodec, which needs FFmpeg's libraries
# make fuzz             10,000 files changed at random, of every kind that is read; MUTATIONS=N for another number
# make fuzz-parsers     the readers of text, with inputs chosen by what they execute (atheris); SECONDS_EACH=N
# make mutants          300 small changes of the code, each of which its tests have to notice; fails below 90 %; MUTANTS=N, SEED=N
# make check            the checks alone: style, types, layers, spelling, calls that may be unsafe
# make audit            known weaknesses of the pinned packages (pip-audit; needs the network)
# make check-web        eslint and stylelint on the script and the style of the report
# make fix              put right what the checks can put right by themselves
# make coverage         the tests again, with what they reach; fails where that is less than it was
# make docs             the documentation as a site that needs no network: site/index.html
# make wheel            the wheel and the source archive, the same bytes each time, and the list of parts (SBOM): dist/
# make sbom             that list alone: dist/vadpipe.cdx.json
# make clean            remove what these made

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Waiting threads that spin slow a busy machine down several times.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test test-slow test-lowest test-newest fuzz fuzz-parsers mutants check audit check-web fix coverage docs wheel sbom clean

demo: $(VENV)/demo
	$(BIN)/python examples/demo.py $(if $(VIDEOS),"$(VIDEOS)")

# Each of two processes goes through its half of the tests in order, so that what a file shares is made once.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

REPORT := vadpipe/output/report
WEB := .ci/web/node_modules/.package-lock.json

test: $(VENV)/test check
	$(PYTEST) -m "not slow"

test-slow: $(VENV)/test
	$(PYTEST) -m slow

# Made anew each time: what is newest changes without a change here. uv, since pip cannot choose the lowest. Old releases
# call what their newer dependencies deprecate.
test-lowest: BIN := $(VENV)/lowest/bin
test-lowest:
	$(PYTHON) -m venv --clear $(VENV)/lowest
	$(BIN)/python -m pip install -qq uv
	$(BIN)/uv pip install -q --python $(BIN)/python --resolution lowest-direct -e '.[test]'
	$(PYTEST) -m "not slow" -W ignore::DeprecationWarning

test-newest: BIN := $(VENV)/newest/bin
test-newest:
	$(PYTHON) -m venv --clear $(VENV)/newest
	$(BIN)/python -m pip install -qq uv
	$(BIN)/uv pip install -q --python $(BIN)/python --upgrade -e '.[test,torchcodec]'
	$(PYTEST) -m "not slow"

MUTATIONS ?= 10000

fuzz: $(VENV)/test
	OMP_NUM_THREADS=1 PYTHONPATH=.:tests $(BIN)/python -m support.fuzzing --mutations $(MUTATIONS)

SECONDS_EACH ?= 60

fuzz-parsers: $(VENV)/test
	$(BIN)/python -m pip install -qq -c .ci/constraints.txt -e '.[fuzz]'
	for parser in labels truth settings scores names heads runs; do \
		PYTHONPATH=.:tests $(BIN)/python -m support.fuzzing.coverage_guided $$parser -max_total_time=$(SECONDS_EACH) || exit 1; \
	done

MUTANTS ?= 300
SEED ?= 0

mutants: $(VENV)/test
	PYTHONPATH=.:tests $(BIN)/python -m support.mutants --mutants $(MUTANTS) --seed $(SEED) --jobs 2

check: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell
	$(BIN)/bandit -q -c pyproject.toml -r vadpipe extract weights

# Apart from 'check', which needs no package of Node.
check-web: $(WEB)
	$(BIN)/node .ci/web/node_modules/eslint/bin/eslint.js -c .ci/web/eslint.config.mjs $(REPORT)
	$(BIN)/node .ci/web/node_modules/stylelint/bin/stylelint.mjs --config .ci/web/stylelint.config.mjs '$(REPORT)/*.css'

fix: $(VENV)/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/codespell --write-changes

coverage: $(VENV)/test
	$(BIN)/coverage erase
	OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest -n 2 --dist worksteal -m "not slow"
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

docs: $(VENV)/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Not part of 'check': it asks a server, and what it finds changes without a change here.
audit: $(VENV)/test
	$(BIN)/pip-audit --strict --no-deps --disable-pip -r .ci/constraints.txt

# Files in an archive carry a time: that of the last commit, so that two builds of it are the same.
wheel: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 1577836800)
wheel: $(VENV)/test sbom
	$(BIN)/python -m build --outdir dist

# Of an environment that holds what a user installs, and nothing for development.
sbom: $(VENV)/test
	$(PYTHON) -m venv --without-pip $(VENV)/sbom
	$(BIN)/python -m pip --python $(VENV)/sbom install -qq -c .ci/constraints.txt '.[cpu,hdf5]'
	rm -f $(VENV)/sbom/lib/python*/site-packages/vadpipe-*.dist-info/direct_url.json  # names a folder of this machine
	mkdir -p dist
	$(BIN)/cyclonedx-py environment --output-reproducible -o dist/vadpipe.cdx.json $(VENV)/sbom/bin/python

clean:
	rm -rf $(VENV) build dist demo site .ci/web/node_modules .coverage .coverage.* *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

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

$(VENV)/docs: $(VENV)/python setup.cfg .ci/constraints.txt
	$(BIN)/python -m pip install -qq -c .ci/constraints.txt -e '.[docs]'
	touch $@

# Node comes from the Python package index as well, so that python3 and make are still all that is needed.
$(WEB): .ci/web/package-lock.json | $(VENV)/test
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/npm ci --prefix .ci/web --silent --no-audit --no-fund
	touch $@
