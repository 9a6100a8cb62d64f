# Two commands for a newcomer: `make demo` and `make test`. Both set up what they need and say what they do.

SHELL := /bin/bash
BIN := .venv/bin

.PHONY: help demo test bench setup setup-demo lint unit cluster-test clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    start a cluster and play the tutorial on it"
	@echo "make test    everything that must hold: style, types, layers, unit tests to clusters of real containers"
	@echo "make bench   every promise about speed and memory, beside what is measured here"
	@echo "make clean   delete the demo's cluster, the virtual environment and caches"

demo: setup-demo
	@examples/demo.sh

test: setup lint unit cluster-test

setup-demo:
	@tools/setup demo

setup:
	@tools/setup test

lint:
	@echo "== style"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== types"
	@$(BIN)/mypy
	@echo "== layers"
	@$(BIN)/lint-imports --no-cache

unit:
	@echo "== unit, contract, conformance, scenario and client tests"
	@$(BIN)/pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

cluster-test:
	@echo "== cluster tests: real nodes, real containers, the real kubectl"
	@$(BIN)/pytest tests/cluster

bench: setup
	@$(BIN)/python -m bench

clean:
	-@[ -x $(BIN)/python ] && ./mamekube delete --all
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
