# Every target does its own set-up: on a fresh machine with Python 3.11, `make demo` is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: studio-checked install demo serve test lint types docs unit long coverage browser helm mosquitto postgresql prometheus label-studio image-check client chart studio studio-check lock audit sbom clean

install: $(INSTALLED)

# All that is locked but FAISS for a GPU, which is the same module: only files of the hashes there,
# only wheels, so that nothing of theirs runs; pip itself first. Then what lies here, built by what
# is there already.
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-deps
LOCKS := $(filter-out requirements/gpu.txt,$(wildcard requirements/*.txt))
$(INSTALLED): pyproject.toml client/pyproject.toml $(LOCKS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 5))' || \
		{ echo "This needs Python 3.11.5 or newer; say which with make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --require-hashes --only-binary=:all: --requirement=requirements/build.txt
	$(PIP_INSTALL) --require-hashes --only-binary=:all: $(addprefix --requirement=,$(LOCKS))
	$(PIP_INSTALL) --no-index --no-build-isolation --editable=./client --editable=.
	$(BIN)/pip check --disable-pip-version-check
	@touch $@

# The lock files, and the pins in constraints.txt that they are made of.
lock:
	@test -x $(BIN)/uv || $(MAKE) --no-print-directory install
	$(BIN)/python -m supply_chain.lock

# Advisories on what is installed; where no source of them can be reached, that is said.
audit: install
	$(BIN)/python -m supply_chain.known_advisories

# Bills of materials (CycloneDX) of this environment, and of the studio with what builds it.
sbom: install
	$(BIN)/python -m supply_chain.bill_of_materials $(BIN)/python dist/handful.cdx.json
	@if ! command -v npm >/dev/null; then echo "There is no npm: no bill of materials of the studio"; \
	else cd studio && npm sbom --package-lock-only --sbom-format=cyclonedx >../dist/studio.cdx.json; fi

demo: install
	$(BIN)/handful demo

serve: install
	$(BIN)/handful serve

test: lint types docs studio-check unit

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/python deploy/helm/chart_documents.py --check
	$(BIN)/python -m supply_chain.find_secrets

types: install
	$(BIN)/mypy

# The documentation as a site, in `site/`; a warning is an error.
docs: install
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs site

# What of the Python client is made: models, of the OpenAPI document; synchronous, of asynchronous.
client: install
	$(BIN)/python client/generate.py

# What of the Helm chart is made: settings in its schema, of the service's; the README's table.
chart: install
	$(BIN)/python deploy/helm/chart_documents.py

# What of the studio is made: types, of the OpenAPI document; the files that travel in the wheel.
NPM := npm --prefix studio
studio: install studio/node_modules/.package-lock.json
	$(BIN)/python studio/api_types.py
	$(NPM) run --silent build

studio/node_modules/.package-lock.json: studio/package-lock.json
	$(NPM) ci --no-progress

# Whether that is what its sources make, which are linted and tested here. Needs Node.js 20.19.
NODE_IS_NEW := node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'
NPM_ANSWERS := $(NPM) view preact version --fetch-retries=0 --fetch-timeout=20000
studio-check: install
	@if ! $(NODE_IS_NEW) 2>/dev/null; then \
		echo "There is no Node.js from 20.19 on: the sources of the studio are not checked"; \
	elif ! $(NPM_ANSWERS) >/dev/null 2>&1; then \
		echo "There is no registry of Node.js packages: the sources of the studio are not checked"; \
	else $(MAKE) --no-print-directory studio-checked; fi

studio-checked: studio/node_modules/.package-lock.json
	$(NPM) run --silent lint
	$(NPM) run --silent types
	$(NPM) run --silent test
	$(BIN)/python studio/api_types.py --check
	built=$$(mktemp -d) && $(NPM) run --silent build -- --outDir $$built && \
		{ diff --recursive service/studio/built $$built || { echo "make studio"; exit 1; }; } && rm -r $$built

# What measures time has the processors for itself, before all else; then one worker more than
# there are processors, up to four (docs/architecture.md, "Tests").
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest
WORKERS := $(shell $(PYTHON) -c 'import os; print(min(4, 1 + (os.cpu_count() or 1)))')
PARALLEL := --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder
unit: install browser helm mosquitto postgresql prometheus
	$(PYTEST) -m alone $$(grep --recursive --files-with-matches --include='test_*.py' 'mark\.alone' tests)
	$(PYTEST) -m "not alone and not long" $(PARALLEL)

# What takes long: training by several processes, compiling for a GPU, kills of services.
long: install postgresql
	$(PYTEST) -m long $(PARALLEL)

# As `unit`, with the lines and branches that were run, in services and commands too; slower.
coverage: install browser helm mosquitto postgresql prometheus
	$(BIN)/coverage erase
	$(PYTEST) -m "not alone" $(PARALLEL) --cov --cov-report=term

# For the tests of pages. Where none can be had, the last lines of the tests say what was not run.
browser:
	@command -v chromium >/dev/null || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null || \
		echo "Chromium cannot be installed: the tests of pages are skipped"

# For the tests of the bridge, likewise: a program alone, of which tests start brokers of their own.
mosquitto:
	@test -x /usr/sbin/mosquitto || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends mosquitto; } >/dev/null || \
		echo "Mosquitto cannot be installed: the tests of the bridge are skipped"

# For the tests of the chart, likewise.
helm: $(BIN)/helm

$(BIN)/helm: tests/deploy/install_helm.py | install
	$(BIN)/python tests/deploy/install_helm.py $@ || \
		echo "Helm cannot be installed: the tests of the chart are skipped"

# For the tests of the dashboard and the alerts. The two programs of Debian's package are put beside
# Python, so that no daemon is installed, and none runs.
prometheus: install
	@command -v promtool >/dev/null || test -x $(BIN)/promtool || ! command -v apt-get >/dev/null || \
		{ folder=$$(mktemp -d) && { test "$$(id -u)" != 0 || apt-get update -qq; } && \
		(cd $$folder && apt-get download -qq -o APT::Sandbox::User=root prometheus) && \
		dpkg-deb --extract $$folder/prometheus_*.deb $$folder && \
		cp $$folder/usr/bin/prometheus $$folder/usr/bin/promtool $(BIN)/; rm -rf $$folder; } >/dev/null 2>&1; \
	command -v promtool >/dev/null || test -x $(BIN)/promtool || \
		echo "Prometheus cannot be had: the tests of the dashboard and the alerts are skipped"

# For tests/campaigns/label_studio.py: Label Studio in an environment of its own, as what it needs
# does not go with what this needs.
label-studio:
	@test -x .label-studio/bin/label-studio || { $(PYTHON) -m venv .label-studio && \
		.label-studio/bin/pip install --quiet --disable-pip-version-check 'label-studio==1.23.*'; }

# The image of the Dockerfile: built, run and asked, where this machine can build any.
image-check: install
	$(BIN)/python tests/deploy/image_check.py

# Programs alone: tests start servers of their own, and skip what they cannot start.
postgresql:
	@{ ls /usr/lib/postgresql/*/bin/initdb && command -v pgbouncer; } >/dev/null 2>&1 || \
		test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql pgbouncer; } >/dev/null || \
		echo "PostgreSQL cannot be installed: its tests are skipped"

clean:
	rm -rf $(VENV) site
