# Two commands for a newcomer: `make demo`, `make test`. Each makes .venv by itself and needs only
# Python 3.11 or newer, git and make; packages come from wherever pip is set up to look.
PYTHON ?= python3
# The lowest versions have wheels for Python 3.11 and 3.12 only.
PYTHON_LOWEST ?= $(firstword $(foreach name,python3.11 python3.12,\
	$(if $(shell $(name) --version 2>/dev/null),$(name))) $(PYTHON))

VENV = .venv
LOWEST = .env-lowest
CONSTRAINTS = tests/constraints-lowest.txt
PIP = -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL = help
.PHONY: help demo test test-peers test-browser test-lowest docs derivations reference lint format check \
	bench bench-engine bench-memory clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/ready  ## Fit a small real data set that ships with the package
	$(VENV)/bin/backpass demo

test: $(VENV)/ready  ## Run the tests that need no other framework
	$(VENV)/bin/python -m pytest -m 'not peers'

test-peers: $(VENV)/ready-peers  ## Compare with torch and statsmodels, live
	$(VENV)/bin/python -m pytest -m peers

test-browser: $(VENV)/ready  ## Open pages in Debian's chromium (chromium, chromium-driver)
	$(VENV)/bin/python $(PIP) --editable '.[test,browser]'
	BACKPASS_BROWSER=required $(VENV)/bin/python -m pytest -m browser

test-lowest: $(LOWEST)/ready  ## Run the tests on the lowest supported versions, in their own venv
	$(LOWEST)/bin/python -m pytest -m 'not peers'

docs: $(VENV)/ready  ## Run every snippet and follow every link of README and docs/
	$(VENV)/bin/python -m pytest tests/test_docs.py

derivations: $(VENV)/ready  ## Derive every rule with SymPy; write it to docs/ and to the package
	$(VENV)/bin/python -m tests.ledger.pages
	$(VENV)/bin/python -m tests.ledger.record

reference: $(VENV)/ready  ## Write every command and option to docs/command-line.md
	$(VENV)/bin/python -m tests.cli.reference

lint: $(VENV)/ready-dev  ## Ruff and mypy, changing nothing
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(VENV)/ready-dev  ## Let Ruff format and mend what it can
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

check: lint test  ## Everything a change must pass: Ruff, mypy, tests, docs

bench: $(VENV)/ready  ## Time the convex fit beside its peers: hours; goes on where it stopped
	$(VENV)/bin/python $(PIP) --editable '.[bench]'
	$(VENV)/bin/python benchmarks/logreg/run.py
	$(VENV)/bin/python benchmarks/units.py

bench-engine: $(VENV)/ready  ## Time the engine beside torch and JAX
	$(VENV)/bin/python $(PIP) --editable '.[bench]'
	$(VENV)/bin/python benchmarks/engine.py

bench-memory: $(VENV)/ready  ## Measure the memory of fits and predictions from files
	$(VENV)/bin/python benchmarks/memory.py

clean:  ## Remove what the targets above made
	rm -rf $(VENV) $(LOWEST) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# A file `ready` tells that the installation ended well; a change of pyproject.toml repeats it.
$(VENV)/ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) is missing or older than 3.11; name another one: make PYTHON=python3.12 ..." >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python $(PIP) --editable '.[test]'
	@touch $@

$(VENV)/ready-dev: $(VENV)/ready
	$(VENV)/bin/python $(PIP) --editable '.[test,dev]'
	@touch $@

$(VENV)/ready-peers: $(VENV)/ready
	$(VENV)/bin/python $(PIP) --editable '.[test,peers]'
	@touch $@

$(LOWEST)/ready: pyproject.toml $(CONSTRAINTS)
	$(PYTHON_LOWEST) -m venv $(LOWEST)
	$(LOWEST)/bin/python $(PIP) --constraint $(CONSTRAINTS) --prefer-binary --editable '.[test]'
	@touch $@
