SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
DAGSTER := DAGSTER_HOME="$$PWD/.dagster" $(BIN)/dagster
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Some images set it. Then each process compiles the package again, and pytest rewrites all tests.
unexport PYTHONDONTWRITEBYTECODE

# Shows what pip is doing, in one line of a terminal.
INSTALL = @set -o pipefail; echo "Installing into .venv, which takes a minute or two"; \
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --constraint constraints.txt --editable '$1' | \
	if [ ! -t 1 ]; then cat > /dev/null; else awk '/^(Collecting|Requirement)/ {printf "\r%d packages found", ++n} /^Installing/ {printf "\nInstalling them ..."} \
		{fflush()} END {print ""}'; fi

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^##@ / {print "\n" substr($$0, 5) ":"} \
		/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Warnings of Dagster that users cannot act on: commands that are being renamed.
SUPERSEDED := ignore:Function `job_execute_command` is superseded,ignore:Function `dev_command` is superseded
demo dev: export PYTHONWARNINGS := $(PYTHONWARNINGS),$(SUPERSEDED)

##@ Using

.PHONY: demo
demo: usable-path .venv/runtime .dagster/dagster.yaml ## Install, read the CRM or the sandbox, build all tables
	@DAGSTER_HOME="$$PWD/.dagster" $(BIN)/python -m crm_assets run crm_full_refresh
	@$(BIN)/python -m crm_assets tables

.PHONY: check
check: .venv/runtime ## Install, and check whether the CRM can be read
	@$(BIN)/python -m crm_assets check

# Alerts link to the UI. Without PORT the setting's own default is right.
ifdef PORT
dev: export CRM_UI_URL ?= http://127.0.0.1:$(PORT)
endif

.PHONY: dev
dev: PORT ?= 3000
dev: usable-path .venv/runtime .dagster/dagster.yaml ## Open the UI on port 3000, or make dev PORT=3001
	@$(BIN)/python -c 'import socket; socket.create_server(("127.0.0.1", $(PORT))).close()' 2> /dev/null || \
		{ echo "Port $(PORT) is in use, perhaps by another Dagster. Choose another one: make dev PORT=$$(($(PORT) + 1))"; exit 1; }
	$(DAGSTER) dev --port $(PORT)

.PHONY: tables
tables: .venv/runtime ## Show the tables, their rows, and where they are
	@$(BIN)/python -m crm_assets

.PHONY: report
report: usable-path .venv/runtime .dagster/dagster.yaml ## Create the sales review, and open it in the browser
	@DAGSTER_HOME="$$PWD/.dagster" $(BIN)/python -m crm_assets run reports/sales_review
	@$(BIN)/python -m crm_assets report

##@ Developing

# In a container, the machine may have more processors than the container may use, and memory for few workers.
IN_PARALLEL := -n auto --maxprocesses 8 --dist worksteal

.PHONY: test
test: .venv/dev ## Run the tests, except slow ones
	$(BIN)/python -m pytest $(IN_PARALLEL) -m 'not slow and not daemon and not dbt and not browser'

.PHONY: test-slow
test-slow: .venv/dev ## Run the slow tests, except the longest
	$(BIN)/python -m pytest $(IN_PARALLEL) -m 'slow and not long'

.PHONY: test-long
test-long: .venv/dev ## Run the longest tests: a lake restored, many writers
	$(BIN)/python -m pytest $(IN_PARALLEL) -m 'long and not image'

# What a lake could do otherwise than a file. Tests of a lake itself are among the others, and slow; one has more rounds here.
ON_A_LAKE := \
	$(addprefix crm_assets_tests/, \
		assets/test_raw_*.py assets/test_model*.py assets/test_snapshot_runs.py \
		commands/test_apply_policy.py commands/test_forget.py privacy/test_*.py warehouse/test_crash.py \
		warehouse/test_lake_files.py \
		runner/test_builds.py runner/test_test_runs.py runner/test_unchanged.py runner/test_seeds.py runner/test_snapshots.py \
		runner/test_snapshot_deletes.py models/test_history.py models/test_staging.py models/test_vanished.py)

# Those of them for each kind of statement, not for each kind of answer.
MAINLY_ON_A_LAKE := \
	$(addprefix crm_assets_tests/, \
		assets/test_raw_runs.py assets/test_snapshot_runs.py warehouse/test_crash.py \
		runner/test_snapshots.py runner/test_snapshot_deletes.py models/test_history.py)

.PHONY: test-daemon
test-daemon: .venv/dev ## Test schedules, builds and alerts of dagster dev
	$(BIN)/python -m pytest -n 2 -m daemon

LAKE_TESTS := not file

.PHONY: test-lake
test-lake: .venv/dev ## Run tests of reads, models and privacy on a lake
	$(BIN)/python -m pytest $(IN_PARALLEL) --warehouse lake -m '$(LAKE_TESTS)' $(ON_A_LAKE)

.PHONY: test-lake-mainly
test-lake-mainly: ON_A_LAKE := $(MAINLY_ON_A_LAKE)
test-lake-mainly: LAKE_TESTS := not file and not long
test-lake-mainly: test-lake ## Run the most important of these

.PHONY: test-dbt
test-dbt: .venv/dev .venv-dbt/bin/dbt ## Compare the models with those that dbt builds
	$(BIN)/python -m pytest -n 0 -m dbt

.PHONY: test-deployment
test-deployment: .venv/dev ## Run the services of deploy/ as processes
	$(BIN)/python -m pytest -m 'not image' crm_assets_tests/deployment

# Needs podman, and the public base image or, as root, debootstrap.
.PHONY: test-image
test-image: .venv/dev ## Build the image, run the services of deploy/ in it
	$(BIN)/python -m pytest -m image crm_assets_tests/deployment

.PHONY: test-browser
test-browser: .venv/dev ## Test the UI in Chromium
	$(BIN)/python -m pytest crm_assets_tests/browser

.PHONY: screenshots
screenshots: .venv/dev ## Take the pictures in docs/images
	$(BIN)/python -m pytest crm_assets_tests/browser --pictures docs/images

# Without constraints, to see what an upgrade would break before constraints.txt is renewed.
.PHONY: test-latest
test-latest: .venv-latest/bin/python ## Run the tests with the newest versions of libraries
	$< -m pip install --quiet --disable-pip-version-check --upgrade --upgrade-strategy eager --editable '.[dev]'
	$< -m pytest $(IN_PARALLEL) -m 'not browser and not image'

# Without a lake: the packages with its extensions belong to the version in constraints.txt.
.PHONY: test-duckdb
test-duckdb: DUCKDB ?= 2.0.1
test-duckdb: .venv-duckdb/bin/python ## Run the tests with another DuckDB: DUCKDB=2.0.1
	$< -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$< -m pip install --quiet --disable-pip-version-check --no-deps duckdb==$(DUCKDB)
	$< -m pytest $(IN_PARALLEL) -m 'not slow and not daemon and not dbt and not browser'

.PHONY: lint
lint: .venv/dev ## Check format, code, types, import rules and SQL
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 2 crm_assets/dbt/models crm_assets/dbt/tests/*.sql crm_assets/reports

.PHONY: lint-deploy
lint-deploy: .venv/dev ## Check the files of deploy/
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/yamllint --strict --config-file deploy/.yamllint deploy
	$(BIN)/python -m pytest -n 0 --quiet -m 'not slow' crm_assets_tests/deployment

.PHONY: audit
audit: .venv/dev ## Look up known vulnerabilities of dependencies
	@$(BIN)/pip-audit --disable-pip --no-deps --requirement constraints.txt --progress-spinner off --timeout 10 \
		> .audit 2> /dev/null; status=$$?; \
	echo "$$(grep -c 'could not be audited' .audit) packages not known to the vulnerability service, or no network"; \
	grep -v 'could not be audited\|^Name\|^---' .audit; found=$$?; rm .audit; \
	if [ $$found -eq 0 ]; then exit $$status; fi

.PHONY: format
format: .venv/dev ## Format code and SQL
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/sqlfluff fix --processes 2 crm_assets/dbt/models crm_assets/dbt/tests/*.sql crm_assets/reports

.PHONY: bench
bench: .venv/runtime ## Compare a raw sync with plain dlt
	$(BIN)/python benchmarks/raw_sync.py
	$(BIN)/python benchmarks/incremental_sync.py

.PHONY: soak
soak: .venv/runtime ## Kill runs at random for half an hour, compare tables
	$(BIN)/python benchmarks/soak.py --seconds 1800

.PHONY: clean
clean: ## Remove the installation and Dagster's files, not data
	rm -rf .venv .venv-latest .venv-dbt .venv-duckdb .dagster .tmp_dagster_home_* *.egg-info .mypy_cache .pytest_cache .ruff_cache

# Dagster makes URLs of its SQLite files' paths without escaping them.
.PHONY: usable-path
usable-path:
	@case "$$PWD" in *'?'*|*%[0-9a-fA-F][0-9a-fA-F]*) \
		echo "Dagster cannot store its runs below $$PWD/.dagster: move the project to a path without ? and without % before two digits"; \
		exit 1;; esac

# Creates Dagster's storage once: processes that start at the same time would fail to create it together.
.dagster/dagster.yaml: | .venv/runtime
	@mkdir -p $(@D)
	@ln -sf ../dagster.yaml $@
	@$(DAGSTER) instance info > /dev/null 2>&1 || { rm $@; exit 1; }

.venv/bin/python .venv-latest/bin/python .venv-dbt/bin/python .venv-duckdb/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(@D:/bin=)

.venv/runtime: pyproject.toml constraints.txt | .venv/bin/python
	$(call INSTALL,.[all])
	@touch $@

.venv/dev: pyproject.toml constraints.txt | .venv/bin/python
	$(call INSTALL,.[dev])
	@touch $@ .venv/runtime

# A separate environment: dbt needs other versions of shared dependencies.
.venv-dbt/bin/dbt: constraints-dbt.txt | .venv-dbt/bin/python
	.venv-dbt/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-dbt.txt dbt-core dbt-duckdb dagster-dbt
	@touch $@
