# Two commands do all the set-up: `make demo` runs the main job, `make test` the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
UV := $(shell command -v uv 2>/dev/null)

.PHONY: help setup demo test check bench profile digests soak zoo hunt mutation lock clean
help: ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

setup: $(STAMP) ## the virtual environment, from the lock

$(STAMP): requirements.lock pyproject.toml
ifneq ($(UV),)
	@test -x $(BIN)/python || uv venv --quiet --python $(PYTHON) $(VENV)
	uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements.lock
	uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
else
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endif
	@touch $(STAMP)

demo: setup ## the main job: every family, simulated and on real processes, judged
	$(BIN)/dtms-lab run

test: setup ## every test, with coverage of core and simulator
	$(BIN)/python -m coverage erase
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report= tests
	$(BIN)/python -m coverage report --fail-under=95
	@$(BIN)/python -m coverage json -q -o .coverage.json
	@$(BIN)/python -c "import json, sys; t = json.load(open('.coverage.json'))['totals']; \
	  share = 100 * t['covered_branches'] / t['num_branches']; \
	  print(f'branches covered: {share:.1f} %, at least 95 are'); sys.exit(share < 95)"

check: setup ## lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=scenarios/zoo/clients $(BIN)/mypy --explicit-package-bases scenarios/zoo/clients/*.py
	MYPYPATH=scenarios/zoo/servers $(BIN)/mypy --explicit-package-bases scenarios/zoo/servers/*.py
	$(BIN)/lint-imports

bench: setup ## the benchmarks: named figures with units
	$(BIN)/python -m loadtests.bench

profile: setup ## where the CPU time of a simulated episode goes
	$(BIN)/python -m loadtests.profile

digests: setup ## 1,000 seeds at each fidelity, in three fresh processes: the same histories?
	$(BIN)/python -m scenarios.exploration.digests --compare 3

soak: setup ## 200,000 episodes; Ctrl-C stops, the same command goes on
	$(BIN)/python -m scenarios.exploration.soak

zoo: setup ## every planted bug, and who finds it
	$(BIN)/dtms-lab zoo

hunt: setup ## each planted bug, until it is found and made small
	$(BIN)/python -m tests.zoo.hunt

mutation: setup ## the core's decisions, mutated; stops and goes on
	$(BIN)/python -m tests.mutation

lock: ## resolve the lock anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --group dev pyproject.toml --output-file requirements.lock

clean: ## remove what was built
	rm -rf $(VENV) .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .mutation build dist
