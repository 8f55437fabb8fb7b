# Every target does its own set-up, in .venv; nothing else on the machine is changed.
.DEFAULT_GOAL := help
.PHONY: help install bench bench-quick bench-full bench-postgres bench-servers map sweep compare bench-generator bench-report compare-power report sample calibrate check test test-rest test-all test-interrupts fmt docs lock ui clean

PYTHON ?= $(firstword $(foreach name,python3 python3.11 python3.12 python3.13 python3.14 python,\
	$(if $(shell $(name) -c 'import sys; print((3, 11) <= sys.version_info < (3, 15) or "")' 2>/dev/null),$(name))))
BIN := .venv/bin
READY := .venv/.ready
SQLALCHEMY_2_0 := .venv/sqlalchemy-2.0/.ready
MEASURE := $(BIN)/twinbench run $(if $(RESUME),--resume)

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "RESUME=1 after bench, bench-quick, bench-full, map or sweep finishes the run that was interrupted."

# pip checks every download against the hashes in the lock. The stamp is written last, so an
# installation that was cut short is done again.
$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "twinbench needs Python 3.11 to 3.14 on the PATH; or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 2; }
	@echo "Setting up .venv, once (about a minute)"
	@$(PYTHON) -m venv --clear .venv || { echo "python's venv module is incomplete; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

install: $(READY)  ## set up .venv

bench: $(READY)  ## measure sync against async: at most 20 minutes, then a report
	@$(MEASURE) loadtests/plans/bench.toml

bench-quick: $(READY)  ## the same path with fewer loads: at most 90 seconds
	@$(MEASURE) loadtests/plans/quick.toml

bench-full: $(READY)  ## every scenario, closed and open loads, 6 blocks: at most 60 minutes
	@$(MEASURE) loadtests/plans/full.toml

bench-postgres: $(READY)  ## both apps on PostgreSQL, with psycopg and asyncpg: at most 20 minutes
	@$(MEASURE) loadtests/plans/postgres.toml

bench-servers: $(READY)  ## both apps on uvicorn, granian and hypercorn: at most 20 minutes
	@$(MEASURE) loadtests/plans/servers.toml

map: $(READY)  ## waiting and computing in different shares, an empty route beside others: 15 minutes
	@$(MEASURE) loadtests/plans/map.toml

sweep: $(READY)  ## threads x pool: where def routes deadlock, and what is enough: 10 minutes
	@$(MEASURE) loadtests/plans/sweep.toml

compare: $(READY)  ## compare stored runs: A=folder B=folder
	@test -n "$(A)" && test -n "$(B)" || { echo "name two runs: make compare A=reports/runs/... B=reports/latest (make compare A=... B=... ANYWAY=1 where they differ)" >&2; exit 2; }
	@$(BIN)/twinbench compare $(if $(ANYWAY),--anyway) "$(A)" "$(B)"

bench-generator: $(READY)  ## our client beside wrk and Locust's, against nginx: half a minute
	@$(BIN)/python -m tests.benchmarks.generators

bench-report: $(READY)  ## how long ten million requests take to a finished report: a minute
	@$(BIN)/python -m tests.benchmarks.report_speed

compare-power: $(READY)  ## how often a comparison of versions finds a slowdown: HOURS=1, adds to reports/power
	@$(BIN)/python -m tests.benchmarks.compare_power $(if $(HOURS),--hours $(HOURS)) \
		$(if $(LEVELS),--levels $(LEVELS)) $(if $(TIME),--time $(TIME))

report: $(READY)  ## write the newest run's report again, from disk
	@$(BIN)/twinbench report

sample: $(READY)  ## keep the newest run's report as reports/sample, and in the README; RUN=folder for another
	@$(BIN)/twinbench report $(or $(RUN),reports/latest)
	@$(BIN)/python -m tools.sample $(or $(RUN),reports/latest)

calibrate: $(READY)  ## check the load generator against known answers: two minutes
	@$(BIN)/python -m tests.instrument $(PLAN) $(if $(KEEP),--keep $(KEEP))

check: $(READY)  ## lint, types, docstrings, import rules, workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema -q --builtin-schema custom.github-workflows-require-timeout .github/workflows/*.yml
	@# Its warning that it does not look into Python is no finding.
	RUST_LOG=error $(BIN)/zizmor --offline --quiet --strict-collection .github

test: $(READY)  ## run after every change: two minutes
	$(BIN)/pytest -m "not slow" -n auto --dist loadfile

# In the order of the files: xdist would put those with few tests last, and some of these take longest.
test-rest: $(READY) $(SQLALCHEMY_2_0)  ## the other tests: real servers under load, a browser
	$(BIN)/pytest -m "slow and not serial" -n auto --dist loadfile --no-loadscope-reorder
	$(BIN)/pytest -m "slow and serial"

test-all: test test-rest  ## all tests

# An older SQLAlchemy beside the one in use, for tests/pitfalls.
$(SQLALCHEMY_2_0): tests/pitfalls/sqlalchemy-2.0.lock $(READY)
	@rm -rf $(@D)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --only-binary :all: \
		--require-hashes --target $(@D) -r $<
	@touch $@

test-interrupts: $(READY)  ## 200 runs interrupted at random moments: a quarter of an hour
	$(BIN)/python -m tests.benchmarks.interrupts

fmt: $(READY)  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)  ## write docs/side-by-side.md from both apps
	$(BIN)/python -m tools.side_by_side.page

ui: $(READY)  ## both apps and Locust's own web page, to try loads by hand
	@$(BIN)/twinbench ui

lock:  ## resolve the locks anew (needs uv on the PATH)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --quiet --upgrade -o requirements.lock
	echo 'sqlalchemy>=2.0,<2.1' | uv pip compile - --no-deps --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --quiet --upgrade -o tests/pitfalls/sqlalchemy-2.0.lock

clean:  ## remove .venv and caches; runs in reports/ stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find apps loadtests tools twinbench tests -name __pycache__ -type d -prune -exec rm -rf {} +
