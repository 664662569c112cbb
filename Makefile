# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: FORCE help install run test lint types format bench chaos fuzz mutate docs clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

FORCE:

$(VENV)/.python: FORCE # The script looks each time: a stamp does not know that its Python is gone.
	@.ci/venv $(VENV) "$(PYTHON)" $(if $(filter-out file,$(origin PYTHON)),given)

comma := ,

define pip_install
	@touch $(VENV)/.installing
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(1)]' \
		|| { rm $(VENV)/.installing; exit 1; }
	@rm $(VENV)/.installing
endef

$(VENV)/.installed: $(VENV)/.python pyproject.toml constraints.txt
	$(call pip_install,local)
	@touch $@

$(VENV)/.developing: $(VENV)/.installed
	$(call pip_install,dev)
	@touch $@

install: $(VENV)/.installed ## Make the virtual environment with everything that runs

run: install ## Start the local cluster (ARGS="--port 8080 --replicas 2")
	@exec $(BIN)/genro-wopi dev $(ARGS)

test: $(VENV)/.developing ## Run all tests (ARGS are pytest's)
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.developing ## Style, who may import whom, dependencies
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache
	@$(BIN)/deptry . 2> /dev/null || $(BIN)/deptry .

types: $(VENV)/.developing ## Strict types
	$(BIN)/pyright

format: $(VENV)/.developing ## Format the code
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --fix --quiet .

bench: $(VENV)/.developing ## Measure; writes docs/performance.md (ARGS="compare latency growth" for some of it)
	@.ci/tools
	$(BIN)/python -m tests.bench $(ARGS)

chaos: $(VENV)/.developing ## Everything fails while people edit; writes docs/reliability.md (ARGS="editing 60 7 s3" for one run)
	@.ci/tools
	$(BIN)/python -m tests.chaos $(ARGS)

fuzz: $(VENV)/.developing ## Strange input to every parser, address and operation, long (ARGS are pytest's)
	@.ci/tools
	WOPI_TEST_PROFILE=fuzz WOPI_FUZZ_EXAMPLES=100 $(BIN)/python -m pytest tests/fuzz tests/flows/test_schema.py $(ARGS)

mutate: $(VENV)/.developing ## Change saves, locks, tokens and tenancy in small; print what no test notices
	$(call pip_install,dev$(comma)mutation)
	$(BIN)/python -m tests.mutation $(ARGS)

docs: $(VENV)/.developing ## Build the documentation into build/docs; a broken link fails
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs

clean: ## Remove what the targets made
	rm -rf $(VENV) .dev .pytest_cache .ruff_cache .hypothesis
