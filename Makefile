# The only commands one must know: `make run` and `make test`. Both do all set-up by themselves.
# Needed on the machine: Python 3.11 or newer, Node 20 or newer with npm, and make.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
UV := .tools/bin/uv
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v "$$p" && break; done)

# The interpreter of this machine is used; none is fetched. Warnings about links between disks say nothing.
export UV_PYTHON_DOWNLOADS := never
export UV_LINK_MODE ?= copy
export UV_PROJECT_ENVIRONMENT := $(VENV)
unexport VIRTUAL_ENV
export PYTHONDONTWRITEBYTECODE ?=
# The browser of the journeys comes as a package; no other is fetched.
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1

TERMINAL_SOURCES := $(shell find terminal -path terminal/node_modules -prune -o -path terminal/dist -prune \
	-o -path terminal/test-results -prune -o -type f -print 2>/dev/null)
NPM_QUIET := --no-audit --no-fund --no-update-notifier --loglevel=error
TERMINAL_LOCK := terminal/package.json terminal/package-lock.json

# One more than processors: many tests wait for processes of their own. What begins first is said in tests/conftest.py.
WORKERS := -n 3 --dist loadgroup --no-loadscope-reorder

# PAGE=docs/reliability.md writes its tables.
FAULTS = $(BIN)/python -m bench.faults --minutes $(or $(MATRIX),0) $(if $(SEED),--seed $(SEED)) $(if $(PAGE),--page $(PAGE))

.PHONY: help run test test-fast soak faults bench bench-terminal screens lint types fmt verifier manage setup clean

help:
	@echo 'make run        the whole platform on http://127.0.0.1:$${PORT:-8000}; Ctrl-C stops it'
	@echo 'make test       the whole test suite, browser journeys included'
	@echo 'make test-fast  what one runs all the time: without slow tests and journeys'
	@echo 'make soak       10 minutes of load and faults, then the kill matrix, the simulated core, and the bridge at the rate that the machine bears; every book is checked; MINUTES=60 for an hour'
	@echo 'make faults     the kill matrix and the faults alone; MATRIX=10 repeats it for so many minutes'
	@echo 'make bench      every figure beside its limit and its conventional twin; SCALE=10 with ten times the data'
	@echo 'make bench-terminal  the terminal in a browser at 500 ticks a second, beside the same page without ticks; WRITE=1 keeps it'
	@echo 'make screens    take the pictures of docs/screens anew'
	@echo 'make lint       ruff, import-linter, migrations, eslint'
	@echo 'make types      mypy strict, vue-tsc'
	@echo 'make fmt        format the Python code'
	@echo 'make verifier   build verify/dist/fairstrike-verify.pyz, which checks receipts and archives'
	@echo 'make manage do="COMMAND"   a manage.py command beside a running platform'
	@echo 'make setup      what the others do first: .venv and the built terminal'
	@echo 'make clean      remove what was made, except the data in .data'

# exec: a signal to make's own process then reaches the supervisor, which stops everything.
run: setup
	@exec $(BIN)/python -m config.supervisor

test: setup
	cd terminal && npm test --silent
	$(BIN)/python -m pytest $(WORKERS)

test-fast: setup
	$(BIN)/python -m pytest $(WORKERS) -m "not slow and not journey"

# exec: so that they, too, can end what they have started when make is stopped.
soak: setup
	@exec $(BIN)/python -m bench.soak --minutes $(or $(MINUTES),10) --rate $(or $(RATE),50) $(if $(SEED),--seed $(SEED))
	@$(FAULTS)
	@$(BIN)/python -m bench.simulator --seeds 1..1000
	@exec $(BIN)/python -m bench.soak.bridge $(if $(PER_S),--per-s $(PER_S))

faults: setup
	@exec $(FAULTS)

# exec: so that the servers end with make. WRITE=1 keeps the table under docs/benchmarks.
bench: setup
	@exec $(BIN)/python -m bench.ratios --scale $(or $(SCALE),1) $(if $(WRITE),--write)

# A platform, a fast source of prices and a browser of their own.
bench-terminal: setup
	@exec $(BIN)/python -m bench.terminal $(if $(WRITE),--write)

screens: setup
	@exec $(BIN)/python -m bench.terminal --pictures

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m config.embedded -- $(BIN)/python manage.py makemigrations --check --dry-run
	cd terminal && npm run --silent lint

types: setup
	$(BIN)/mypy
	cd terminal && npm run --silent types

fmt: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

verifier: $(STAMPS)/python
	@$(BIN)/python -m settlement.verifier verify/dist/fairstrike-verify.pyz
	@echo verify/dist/fairstrike-verify.pyz

manage: setup
	@$(BIN)/python manage.py $(do)

setup: $(STAMPS)/python $(STAMPS)/terminal

clean:
	rm -rf $(VENV) .tools $(STAMPS) build dist verify/dist terminal/dist terminal/node_modules
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up -----------------------------------------------------------------------------------

$(STAMPS):
	@mkdir -p $(STAMPS)

# uv lives in a small environment of its own: some systems refuse installs into theirs.
$(UV): | $(STAMPS)
	@if [ -z "$(PYTHON)" ]; then echo 'Python 3.11 or newer is needed: install it, or name it with PYTHON=...' >&2; exit 1; fi
	@echo 'installing uv into .tools'
	@"$(PYTHON)" -m venv .tools || { echo 'Python cannot make environments: install its venv module (Debian: python3-venv)' >&2; exit 1; }
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check uv
	@touch $(UV)

$(STAMPS)/python: pyproject.toml uv.lock $(UV) | $(STAMPS)
	@echo 'installing Python packages into $(VENV)'
	@$(UV) sync --frozen --quiet --python "$$(.tools/bin/python -c 'import sys; print(sys.executable)')"
	@touch $@

$(STAMPS)/node: $(TERMINAL_LOCK) | $(STAMPS)
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' 2>/dev/null \
		|| { echo 'Node 20 or newer with npm is needed' >&2; exit 1; }
	@echo 'installing the packages of the terminal'
	@cd terminal && npm ci $(NPM_QUIET)
	@touch $@

$(STAMPS)/terminal: $(STAMPS)/node $(TERMINAL_SOURCES) | $(STAMPS)
	@echo 'building the terminal'
	@cd terminal && npm run --silent build -- --logLevel warn
	@touch $@
