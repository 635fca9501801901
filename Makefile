# Everything starts from a bare Python 3.11+ and make; each step says what it does.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
OLDEST := .venv-oldest/bin
DBT := .venv-dbt/bin
PIP := -m pip install --quiet --disable-pip-version-check --no-input --prefer-binary
# What the tests run on: the provider with its extras, and the tools of the dependency groups.
TESTED := -e '.[simulator,postgres,duckdb,export,report,openlineage]' --group test
TESTED_HERE := -e '.[simulator,postgres,duckdb,export,report,openlineage,mysql,clickhouse]'
# The oldest constraints pin no OpenLineage.
TESTED_OLDEST := -e '.[simulator,postgres,duckdb,export,report]' --group test
PYTEST := -m pytest -q -p no:cacheprovider
# Tests wait more than they work, for servers and for the pace: more run at once than there are cores.
# Those of a file run in one process, which so starts what they share once.
WORKERS ?= 8
TOGETHER := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
# Tests of whole DAGs, most of them in an Airflow of their own: they have a target of their own.
TESTS := tests/unit tests/contract tests/integration tests/faults tests/docs
AIRFLOWS := tests/integration/airflow tests/integration/dags tests/faults/test_airflow.py tests/docs/test_dags.py tests/pii_scan
# All that is below the hooks knows nothing of Airflow: its tests need no second version of it. The
# two sets of constraints differ in Airflow, and in what comes with its servers only.
BELOW := api batch client pii_scan quality simulator state warehouse
# Long tests of ours of which no version of Airflow takes another part than in shorter ones.
SAME_EVERYWHERE := airflow/test_checks_in_a_row.py dags/test_full_pipeline.py operators/test_two_databases.py
ABOVE := tests/unit tests/integration tests/docs tests/faults/test_airflow.py \
	$(addprefix --ignore=tests/unit/,$(BELOW)) $(addprefix --ignore=tests/integration/,$(BELOW)) \
	$(addprefix --ignore=tests/integration/,$(SAME_EVERYWHERE))

# Debian's is in a folder that is on root's path only.
FIND_PGBOUNCER := PATH="$$PATH:/usr/sbin" command -v pgbouncer >/dev/null
FIND_MARIADB := PATH="$$PATH:/usr/sbin" command -v mariadbd >/dev/null
# mysqlclient has no wheel for Linux: it is built here.
FIND_BUILD := command -v cc >/dev/null && command -v pkg-config >/dev/null && pkg-config --exists libmariadb

# Where it is set, as in many containers, each of hundreds of processes would compile the package again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo ui bench test test-airflow test-unit test-integration faults test-faults test-pii-scan test-docs test-package \
	test-oldest test-databases test-dbt test-distributed test-browser test-browser-oldest conformance fuzz lint format simulator docs programs clean \
	redis-server pgbouncer mariadb-server nodejs npm chromium chromium-driver apt-get

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

demo: .venv/demo ## real Airflow DAGs verify 1,000 applicants against the simulator, and write a report
	@$(BIN)/python demo/run.py

ui: .venv/demo ## the Airflow UI on the demo's warehouse, on 127.0.0.1
	@$(BIN)/python demo/ui.py

simulator: .venv/demo ## a local Face ID service; stop it with Ctrl-C
	@$(BIN)/python -m airflow_provider_faceid.simulator --port 8899

test: .venv/test ## units, databases, operators, faults, docs (about eight minutes on two cores)
	@$(FIND_PGBOUNCER) || $(MAKE) --no-print-directory pgbouncer
	@echo "== tests"
	@$(BIN)/python $(PYTEST) $(TOGETHER) $(addprefix --ignore=,$(AIRFLOWS)) $(TESTS)

test-airflow: .venv/test ## whole DAGs, under a real scheduler: schedules, retries, kills, the PII scan (about seven minutes)
	@echo "== tests of whole DAGs"
	@$(BIN)/python $(PYTEST) $(TOGETHER) --numprocesses 3 $(AIRFLOWS)

test-unit: .venv/test ## fast tests: pure functions, tables, vectors
	@echo "== unit and contract tests"
	@$(BIN)/python $(PYTEST) $(TOGETHER) --numprocesses 2 tests/unit tests/contract

test-integration: .venv/test ## simulator, real databases, real DAG runs
	@$(FIND_PGBOUNCER) || $(MAKE) --no-print-directory pgbouncer
	@echo "== integration tests"
	@$(BIN)/python $(PYTEST) $(TOGETHER) tests/integration

test-faults: .venv/test ## injected faults: each question is paid once, no row is lost
	@$(FIND_PGBOUNCER) || $(MAKE) --no-print-directory pgbouncer
	@echo "== fault tests"
	@$(BIN)/python $(PYTEST) $(TOGETHER) tests/faults

faults: .venv/test ## the same with 100 kills and full times (about twenty minutes), as a table in docs/
	@$(FIND_PGBOUNCER) || $(MAKE) --no-print-directory pgbouncer
	@echo "== fault tests with full numbers"
	@$(BIN)/python $(PYTEST) -p no:randomly tests/faults --faults-table docs/reliability.md

test-pii-scan: .venv/test ## a search for marked people in all that a real Airflow in trouble wrote (a few minutes)
	@echo "== PII scan: every example DAG under a scheduler, then a search of all that was written"
	@$(BIN)/python $(PYTEST) tests/pii_scan

test-docs: .venv/test ## every example in the docs, and the pages made from tables
	@echo "== tests of the docs"
	@$(BIN)/python $(PYTEST) $(TOGETHER) tests/docs

test-package: .venv/test ## the wheel in a clean environment (about a minute), the sdist's own tests
	@echo "== tests of the package"
	@$(BIN)/python $(PYTEST) tests/package

test-oldest: .venv-oldest/test ## what Airflow takes part in, on the oldest supported one
	@echo "== tests on $$($(OLDEST)/python -c 'import airflow; print("Airflow", airflow.__version__)' 2>/dev/null)"
	@$(OLDEST)/python $(PYTEST) $(TOGETHER) $(ABOVE)

test-databases: .venv/databases ## what holds on PostgreSQL, on MariaDB and ClickHouse too (about three minutes)
	@$(FIND_MARIADB) || $(MAKE) --no-print-directory mariadb-server
	@echo "== tests of databases that have to be installed"
	@FACEID_TEST_HOMES='mariadb clickhouse' $(BIN)/python $(PYTEST) $(TOGETHER) \
		tests/databases tests/integration/warehouse tests/integration/batch \
		tests/integration/quality/test_result_check.py tests/integration/dags/test_full_pipeline.py

test-dbt: .venv/test .venv-dbt/made ## the dbt package on DuckDB and PostgreSQL, the data contract (a minute or two)
	@echo "== dbt package and data contract"
	@$(BIN)/python $(PYTEST) tests/dbt

test-distributed: .venv/distributed ## a DAG in shards on two Celery workers, with Redis and PostgreSQL
	@command -v redis-server >/dev/null || $(MAKE) --no-print-directory redis-server
	@echo "== test of a distributed Airflow (about two minutes)"
	@$(BIN)/python $(PYTEST) -x tests/distributed

conformance: .venv/conformance .conformance/made ## the service's official clients, unmodified, on the simulator
	@echo "== official Python SDK, command line tool and Node SDK on the simulator"
	@$(BIN)/python $(PYTEST) tests/conformance

fuzz: .venv/test ## 5,000 malformed requests to the simulator (about a minute)
	@echo "== 5,000 malformed requests"
	@FUZZ_EXAMPLES=5000 $(BIN)/python $(PYTEST) tests/integration/simulator/test_fuzz.py

test-browser: .venv/browser .browser/made ## simulator's page, demo, report and Airflow pages in Chromium, valid HTML (five minutes)
	@command -v chromium >/dev/null || $(MAKE) --no-print-directory chromium
	@command -v chromedriver >/dev/null || $(MAKE) --no-print-directory chromium-driver
	@echo "== tests in a browser"
	@$(BIN)/python $(PYTEST) tests/browser

test-browser-oldest: .venv-oldest/browser .browser/made ## the pages under Browse > Face ID in Chromium, on the oldest supported Airflow
	@command -v chromium >/dev/null || $(MAKE) --no-print-directory chromium
	@command -v chromedriver >/dev/null || $(MAKE) --no-print-directory chromium-driver
	@echo "== tests in a browser on $$($(OLDEST)/python -c 'import airflow; print("Airflow", airflow.__version__)' 2>/dev/null)"
	@$(OLDEST)/python $(PYTEST) tests/browser/test_faceid_pages.py tests/browser/test_review_pages.py

bench: .venv/bench ## how fast it is, beside its peers
	@$(FIND_MARIADB) || $(MAKE) --no-print-directory mariadb-server
	@$(BIN)/python bench/run.py

lint: .venv/lint ## ruff, mypy --strict, layer contracts, generated code
	@echo "== ruff"; $(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo "== mypy"; $(BIN)/mypy
	@echo "== layers"; $(BIN)/lint-imports
	@echo "== generated code"; $(BIN)/python codegen/generate.py --check

format: .venv/lint ## let ruff write the layout
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

docs: .venv/docs ## rewrite the operators of the Actions and the tables of the pages, then build the site into site/
	@$(BIN)/python codegen/generate.py && $(BIN)/python docs/generate.py
	@echo "== building the site; warnings and dead links are errors"
	@$(BIN)/python -m sphinx -q -E -a -W --keep-going -n -c docs . site
	@echo "site/index.html"

clean: ## remove what make made
	rm -rf .venv .venv-oldest .venv-dbt .conformance .browser .demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache \
		.hypothesis build dist site *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

# Environments. The marker files are newer than what they were made from.

.venv/made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=..."; exit 1; }
	@echo "== making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv && touch $@

# The pip of Python 3.11 to 3.13 knows no dependency groups.
.venv/pip: .venv/made
	@$(BIN)/python $(PIP) --upgrade 'pip>=25.1' && touch $@

.venv/demo: .venv/pip pyproject.toml constraints.txt
	@echo "== installing the provider and Airflow into .venv (about two minutes, only this once)"
	@$(BIN)/python $(PIP) -c constraints.txt -e '.[simulator,report]' && touch $@

.venv/docs: .venv/demo
	@echo "== installing what builds the site into .venv"
	@$(BIN)/python $(PIP) -c constraints.txt -e '.[simulator,report]' --group docs && touch $@

.venv/test: .venv/pip pyproject.toml constraints.txt
	@echo "== installing what the tests need into .venv (about two minutes, only this once)"
	@$(BIN)/python $(PIP) -c constraints.txt $(TESTED) && touch $@ .venv/demo .venv/docs

.venv/databases: .venv/test
	@{ $(FIND_BUILD); } || $(MAKE) --no-print-directory APT="gcc libc6-dev libmariadb-dev pkg-config" apt-get
	@echo "== installing the clients of MySQL and ClickHouse into .venv"
	@$(BIN)/python $(PIP) -c constraints.txt $(TESTED_HERE) --group test --group databases && touch $@

.venv/distributed: .venv/test
	@echo "== installing the Celery executor into .venv"
	@$(BIN)/python $(PIP) -c constraints.txt $(TESTED) --group distributed && touch $@

.venv/conformance: .venv/test
	@echo "== installing the service's official clients into .venv"
	@$(BIN)/python $(PIP) -c constraints.txt $(TESTED) --group conformance && touch $@

.conformance/made: tests/conformance/package.json
	@command -v node >/dev/null || $(MAKE) --no-print-directory nodejs
	@command -v npm >/dev/null || $(MAKE) --no-print-directory npm
	@echo "== installing the official Node SDK into .conformance"
	@mkdir -p .conformance && cp $< .conformance
	@cd .conformance && npm install --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

.venv/browser: .venv/test
	@echo "== installing Selenium into .venv"
	@$(BIN)/python $(PIP) -c constraints.txt $(TESTED) --group browser && touch $@

.browser/made: tests/browser/package.json
	@command -v npm >/dev/null || $(MAKE) --no-print-directory npm
	@echo "== installing axe-core and html-validate into .browser"
	@mkdir -p .browser && cp $< .browser
	@cd .browser && npm install --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

.venv/bench: .venv/databases
	@echo "== installing what we are measured against into .venv"
	@$(BIN)/python $(PIP) -c constraints.txt $(TESTED_HERE) $(addprefix --group ,test databases bench) && touch $@

.venv/lint: .venv/test
	@echo "== installing the linters into .venv"
	@$(BIN)/python $(PIP) -c constraints.txt $(TESTED) --group lint && touch $@

# What .ci/run needs of the above, resolved and installed once.
.venv/ci: .venv/pip pyproject.toml constraints.txt
	@{ $(FIND_BUILD); } || $(MAKE) --no-print-directory programs
	@echo "== installing what tests, linters and docs need into .venv (about two minutes, only this once)"
	@$(BIN)/python $(PIP) -c constraints.txt $(TESTED_HERE) $(addprefix --group ,test databases lint)
	@touch $(addprefix .venv/,demo docs test databases lint ci)

.venv-oldest/test: pyproject.toml constraints-oldest.txt
	@echo "== installing the oldest supported Airflow into .venv-oldest (about two minutes)"
	@$(PYTHON) -m venv .venv-oldest && $(OLDEST)/python $(PIP) --upgrade 'pip>=25.1'
	@$(OLDEST)/python $(PIP) -c constraints-oldest.txt $(TESTED_OLDEST) && touch $@

.venv-oldest/browser: .venv-oldest/test
	@echo "== installing Selenium into .venv-oldest"
	@$(OLDEST)/python $(PIP) -c constraints-oldest.txt $(TESTED_OLDEST) --group browser && touch $@

# dbt has versions of its own of what Airflow depends on.
.venv-dbt/made: pyproject.toml constraints-dbt.txt
	@echo "== installing dbt into .venv-dbt"
	@$(PYTHON) -m venv .venv-dbt && $(DBT)/python $(PIP) --upgrade 'pip>=25.1'
	@$(DBT)/python $(PIP) -c constraints-dbt.txt --group dbt && touch $@

# The tests start a pgbouncer and a Redis of their own; the two variables keep Debian from starting them
# as services.
APT_GET := DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 SYSTEMD_OFFLINE=1 apt-get -qq

programs: ## the programs .ci/run needs beside Python, with one call of apt-get
	@missing=""; $(FIND_PGBOUNCER) || missing="pgbouncer"; \
	$(FIND_MARIADB) || missing="$$missing mariadb-server"; \
	{ $(FIND_BUILD); } || missing="$$missing gcc libc6-dev libmariadb-dev pkg-config"; \
	test -z "$$missing" || $(MAKE) --no-print-directory APT="$$missing" apt-get

redis-server pgbouncer mariadb-server nodejs npm chromium chromium-driver:
	@$(MAKE) --no-print-directory APT=$@ apt-get

apt-get:
	@test "$$(id -u)" = 0 && command -v apt-get >/dev/null || \
		{ echo "not on the PATH: $(APT); install it, on Debian: apt-get install $(APT)"; exit 1; }
	@echo "== installing $(APT) with apt-get"
	@apt-get update -qq && $(APT_GET) install -y --no-install-recommends $(APT) >/dev/null
