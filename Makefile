# What a person types. `make` alone lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test prove lint bench format wheel lock

PYTHON ?=
ARGS ?=
BIN := .venv/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## build .venv from requirements.lock (again only when it or pyproject.toml changed; PYTHON=python3.12 chooses)
	@PYTHON="$(PYTHON)" .ci/setup

demo: setup ## Trà Vinh 2017 from seven agencies to two portals, in under a minute (ARGS="--json", ARGS="--bus rabbitmq")
	@$(BIN)/hub demo $(ARGS)

test: setup ## lint and every test; installs RabbitMQ, PostgreSQL, strace and PHP from Debian's packages where they are missing
	@.ci/services rabbitmq postgresql strace php
	@$(MAKE) --no-print-directory lint
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

prove: setup ## kill, stop, wipe and fill everything, at length (half an hour), and print what was proven as tables
	@.ci/services rabbitmq postgresql strace
	@rm -f build/proof.jsonl
	@HUB_PROVE=1 HUB_PROOF_FILE=build/proof.jsonl $(BIN)/pytest -n 2 --dist loadfile tests/prove \
	    tests/contract/ledger/test_schedule.py $(ARGS); \
	    status=$$?; $(BIN)/python -m tests.support.proof build/proof.jsonl && exit $$status

lint: setup ## ruff, mypy --strict, and the layers by import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: setup ## the hub beside its floor, on either bus and ledger (ARGS="--dossiers 5000 --only embedded", ARGS="--memory")
	@$(BIN)/python -m benchmarks.bench $(ARGS)

format: setup ## let ruff mend what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

wheel: setup ## build the wheel into dist/
	@$(BIN)/python -m build --wheel --no-isolation .

lock: setup ## pin again what pyproject.toml allows today, into requirements.lock
	@$(BIN)/python -m pip install --quiet 'uv>=0.9'
	@$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --extra dev --python-version 3.11 \
	    --no-header --no-emit-index-url --no-emit-find-links --output-file requirements.lock pyproject.toml
