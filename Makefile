# Every target does its own set-up: on a fresh machine with Python 3.11, `make demo` is enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: install demo serve test lint types unit unit-service-a-l unit-service-m-z unit-science clean

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Handful needs Python 3.11 or newer; say which with make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: install
	$(BIN)/handful demo

serve: install
	$(BIN)/handful serve

test: lint types unit

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml

types: install
	$(BIN)/mypy

# What measures time is run before, by itself; then two processes at a time beside each other
# (docs/architecture.md, "Tests").
unit: install
	$(BIN)/pytest tests/service -m alone
	$(MAKE) --jobs 2 unit-service-a-l unit-service-m-z unit-science

unit-service-a-l: install
	$(BIN)/pytest -m "not alone" --durations=10 tests/service/[a-d]* tests/service/[f-q]*

unit-service-m-z: install
	$(BIN)/pytest -m "not alone" --durations=10 tests/service/e* tests/service/[r-z]*

unit-science: install
	$(BIN)/pytest -m "not alone" --durations=10 tests/adapters tests/benchmarks

clean:
	rm -rf $(VENV)
