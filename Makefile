# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# A recent pip finds what to install in a third of the time, and needs no second environment for it.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
BUILD_WITH := 'pip>=26' hatchling editables
THIS := --no-build-isolation -e .
# Tests are shared by file between as many processes as there are processors, four at most.
PYTEST := $(BIN)/python -m pytest -n auto --no-loadscope-reorder

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: FORCE help install run test check lint types format bench chaos fuzz hostile mutate docs clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

FORCE:

$(VENV)/.python: FORCE # The script looks each time: a stamp does not know that its Python is gone.
	@.ci/venv $(VENV) "$(PYTHON)" $(if $(filter-out file,$(origin PYTHON)),given)

define pip_install
	@touch $(VENV)/.installing
	$(PIP) $(1) || { rm $(VENV)/.installing; exit 1; }
	@rm $(VENV)/.installing
endef

$(VENV)/.pip: $(VENV)/.python constraints.txt
	$(if $(BUILD_WITH),$(call pip_install,$(BUILD_WITH)))
	@touch $@

$(VENV)/.installed: $(VENV)/.pip pyproject.toml constraints.txt
	$(call pip_install,$(THIS)'[local]')
	@touch $@

# What a target needs beyond that is an extra of pyproject.toml with a stamp of its own.
$(VENV)/.extra-%: $(VENV)/.pip pyproject.toml constraints.txt
	$(call pip_install,$(THIS)'[$*]')
	@touch $@ $(VENV)/.installed

install: $(VENV)/.installed ## Make the virtual environment with everything that runs

run: install ## Start the local cluster (ARGS="--port 8080 --replicas 2")
	@exec $(BIN)/genro-wopi dev $(ARGS)

test: $(VENV)/.extra-test ## Test a change within minutes (ARGS are pytest's)
	$(PYTEST) -m "not check" $(ARGS)

check: $(VENV)/.extra-check ## Test what takes longer, loads the machine or needs servers (.ci/tools all)
	$(PYTEST) -m check $(ARGS)

lint: $(VENV)/.extra-lint ## Style, who may import whom, dependencies
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache
	@$(BIN)/deptry . 2> /dev/null || $(BIN)/deptry .

types: $(VENV)/.extra-lint ## Strict types
	$(BIN)/pyright

format: $(VENV)/.extra-lint ## Format the code
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --fix --quiet .

bench: $(VENV)/.extra-bench ## Measure; writes docs/performance.md (ARGS="compare latency growth" for some of it)
	@.ci/tools
	$(BIN)/python -m tests.bench $(ARGS)

chaos: $(VENV)/.extra-test ## Everything fails while people edit; writes docs/reliability.md (ARGS="editing 60 7 s3" for one run)
	@.ci/tools
	$(BIN)/python -m tests.chaos $(ARGS)

fuzz: $(VENV)/.extra-check ## Strange input to every parser, address and operation, long (ARGS are pytest's)
	@.ci/tools
	WOPI_TEST_PROFILE=fuzz WOPI_FUZZ_EXAMPLES=100 $(BIN)/python -m pytest tests/fuzz tests/flows/test_schema.py $(ARGS)

hostile: $(VENV)/.extra-test ## Attackers with keys, tokens, storages, servers; writes docs/security.md (ARGS="60 7" for one run)
	@.ci/tools
	$(BIN)/python -m tests.hostile $(ARGS)

mutate: $(VENV)/.extra-mutation ## Change saves, locks, tokens and tenancy in small; print what no test notices
	$(BIN)/python -m tests.mutation $(ARGS)

docs: $(VENV)/.extra-docs ## Build the documentation into build/docs; a broken link fails
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs

clean: ## Remove what the targets made
	rm -rf $(VENV) .dev .pytest_cache .ruff_cache .hypothesis
