# Two commands for a newcomer: `make demo`, `make test`. Each makes .venv by itself.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test test-peers check lint bench-engine clean

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	touch $@

.venv/ready-peers: .venv/ready
	$(BIN)/python -m pip install --quiet --editable '.[test,peers]'
	touch $@

demo: .venv/ready
	$(BIN)/backpass demo

test: .venv/ready
	$(BIN)/python -m pytest -m 'not peers'

test-peers: .venv/ready-peers
	$(BIN)/python -m pytest -m peers

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint test

bench-engine: .venv/ready
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python benchmarks/engine.py

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache
