# `make run` starts AWFDRS with demo data, `make test` passes the tests; both need Python >= 3.11
# and make, nothing else. `make help` lists the rest.

VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= logical
PYTEST := $(BIN)/python -m pytest -q
# Servers that the environment names are not for tests, unless it is asked for.
ON_OWN_SERVERS := DATABASE_URL= REDIS_URL=
export CUSTOM_COMPILE_COMMAND = make lock

.DEFAULT_GOAL := help
.PHONY: help run venv test test-services e2e check drill faults bench screenshots lock

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: $(VENV)/.run ## start everything with demo data and simulated traffic (HOST, PORT)
	@exec $(BIN)/python manage.py up --demo

venv: $(VENV)/.dev ## the virtual environment with what the checks need

test: $(VENV)/.dev ## the tests, on embedded servers of their own (WORKERS=n, ARGS=...)
	$(ON_OWN_SERVERS) $(PYTEST) -n $(WORKERS) --dist loadfile --ignore tests/e2e $(ARGS)

test-services: $(VENV)/.dev ## the same tests on the servers in DATABASE_URL and REDIS_URL
	@test -n "$$DATABASE_URL" -a -n "$$REDIS_URL" || \
	  { echo "make test-services: set DATABASE_URL and REDIS_URL (servers for tests alone)" >&2; exit 2; }
	$(PYTEST) -n 0 --ignore tests/e2e $(ARGS)

e2e: $(VENV)/.dev ## the tests in a browser (Debian's chromium)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; \
	  else echo "make e2e: install chromium first (apt-get install chromium)" >&2; exit 2; fi
	$(ON_OWN_SERVERS) $(PYTEST) tests/e2e $(ARGS)

# As an operator's machine would have it; nothing is connected to.
PRODUCTION = SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(64))') \
  AWFDRS_SEAL_KEYS=$$($(BIN)/python -c 'import base64, secrets; print(base64.b64encode(secrets.token_bytes(32)).decode())') \
  DATABASE_URL=postgresql://awfdrs@db.invalid/awfdrs REDIS_URL=redis://redis.invalid:6379/0 \
  ALLOWED_HOSTS=awfdrs.example CSRF_TRUSTED_ORIGINS=https://awfdrs.example AWFDRS_HTTPS=true

check: $(VENV)/.dev ## format, lint, types, imports, templates, deployment settings, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet templates
	@echo manage.py check --deploy
	@$(PRODUCTION) $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run

drill: $(VENV)/.dev ## a failure from first event to recovery, against the real thing
	$(BIN)/python manage.py drill $(ARGS)

SEED ?= 1
SCALE ?= small
faults: $(VENV)/.dev ## processes killed and stopped while they send (SEED=n, SCALE=small|full)
	$(ON_OWN_SERVERS) $(BIN)/python -m bench.faults --seed $(SEED) --scale $(SCALE) $(ARGS)

bench: $(VENV)/.dev ## the measurements of docs/performance
	$(BIN)/python -m bench $(ARGS)

screenshots: $(VENV)/.dev ## the pictures in docs/
	$(BIN)/python -m tests.e2e.screenshots $(ARGS)

lock: $(VENV)/.dev ## pin every requirement anew (by uv where there is one)
	@if command -v uv >/dev/null; then compile="uv pip compile --python-version 3.11"; \
	else compile="$(BIN)/pip-compile --strip-extras --no-emit-index-url --no-emit-find-links"; fi; \
	for name in requirements requirements-aws requirements-dev; do \
	  $$compile --quiet --upgrade --output-file $$name.txt $$name.in || exit 1; \
	done

$(VENV)/bin/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  command -v $$python >/dev/null || continue; \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue; \
	  $$python -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "make: $$python cannot make a virtual environment (Debian: apt-get install python3-venv)" >&2; exit 1; }; \
	  exit 0; \
	done; echo "make: Python 3.11 or newer is needed; name it by PYTHON=" >&2; exit 1

$(VENV)/.run: requirements.txt | $(VENV)/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.run
