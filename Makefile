# `make` is the main job; `make help` is the menu. Windows: the same commands in plain form are in the README.
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all env data lab fast cluster watch sweep evaluate every far twin reports fuzz bench bench-core bench-sweep test quick lint lock clean help

PYTHON ?= python3
BIN := .venv/bin
PY := $(BIN)/python
UV := $(or $(shell command -v uv 2>/dev/null),$(BIN)/uv)
INSTALL := $(UV) pip install --quiet --python $(PY) --compile-bytecode
ORACLES := UV_HTTP_RETRIES=0 UV_FIND_LINKS="$(PIP_FIND_LINKS)" $(INSTALL) --group oracles
PEERS := UV_HTTP_RETRIES=0 UV_FIND_LINKS="$(PIP_FIND_LINKS)" $(UV) pip install --quiet --compile-bytecode \
         --python .venv-bench/bin/python
LOCK := $(UV) pip compile --quiet pyproject.toml --universal --python-version 3.11 --fork-strategy fewest \
        --generate-hashes --no-emit-index-url --no-annotate --no-header
STRIP := $(PY) -m nbstripout --keep-id --extra-keys \
         "metadata.language_info metadata.papermill cell.metadata.papermill"

RUNS := $(or $(FASHION_RUNS),runs)
CODE := $(wildcard *.py */__init__.py common/*.py ingredients/*.py backends/*.py lab/*/*.py)
SEARCH := $(filter-out report.py lab/pages/% lab/evaluation/% lab/tabular/% lab/far/%,$(CODE))
EXECUTED := $(addprefix $(RUNS)/,$(wildcard notebooks/*.ipynb))

all: reports  ## the main job: environment, data, notebooks, sweep, evaluation, reports
	@$(PY) report.py summary

env: .venv/.users  ## the environment that notebooks run in, in .venv

data: .venv/.users  ## find or fetch Fashion-MNIST, and verify it
	@$(PY) fashion_mnist.py

lab: data  ## JupyterLab with everything here; what notebooks show stays out of commits
	@git config filter.notebooks.clean '$(STRIP)' || echo "Not a clone: no git filter is set."
	$(BIN)/jupyter lab --preferred-dir=notebooks --ServerApp.contents_manager_class=lab.execution.contents.Contents

fast: .venv/.users  ## numba, the optional extra: the same training, faster
	$(INSTALL) --constraint requirements-dev.lock numba

cluster: .venv/.users  ## Dask's distributed, another extra: many machines run a sweep together
	$(INSTALL) --constraint requirements-dev.lock distributed

watch: .venv/.users  ## Optuna's dashboard, another extra, on all sweeps of runs/, which it only reads
	@$(PY) -c "import optuna_dashboard" 2>/dev/null || $(INSTALL) --constraint requirements-dev.lock optuna-dashboard
	$(PY) sweep.py watch

sweep: $(RUNS)/.sweep  ## 24 random runs, then a search that learns, its best confirmed; after an interruption, the rest of it

evaluate: $(RUNS)/notebooks/05_evaluation.ipynb  ## train the best configuration on everything, and read the test set

every: data  ## train what the table of every configuration lacks, hours of it, and replay searches on it
	@$(PY) -m lab.tabular.every

far: data  ## train recipes that go beyond the exercise, their ladder, and the best on everything: hours of it
	@$(PY) -m lab.far.climbing

twin: .venv/.developers data  ## train the best of them in PyTorch beside it, hours of it
	@$(PY) benchmarks/twin.py

reports: reports/index.html  ## the pages in reports/

test: .venv/.developers lint data  ## every check
	$(PY) -m pytest -n 4 --dist worksteal

quick: .venv/.developers  ## the checks that need nothing but their own process
	$(PY) -m pytest -n 2 --dist worksteal -m "not (kernel or browser or service or torch or database or numba or pages)"

fuzz: .venv/.developers  ## feed all readers of files with damage, for longer than make test does: make fuzz FUZZ=9999
	FUZZ=$(or $(FUZZ),2000) $(PY) -m pytest -n 0 tests/whole/test_fuzz.py tests/whole/test_attacks.py \
	  tests/search/test_exchange.py

bench: .venv-bench/.done data  ## time the network beside PyTorch, JAX, scikit-learn: an hour; then 06_benchmark
	.venv-bench/bin/python benchmarks/bench.py run
	@$(MAKE) --no-print-directory reports

bench-core: data  ## time the network as it is beside that of a commit: make bench-core BASE=HEAD~1
	$(PY) benchmarks/bench.py core $(or $(BASE),HEAD)

bench-sweep: .venv/.developers data  ## time a sweep's runs, and the same by W&B's agent: a quarter of an hour
	$(PY) benchmarks/sweeping.py

lint: .venv/.developers  ## style of modules and notebooks, direction of imports, no outputs in notebooks
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(PY) tests/kit/imports.py
	@$(PY) tests/kit/style.py
	@$(STRIP) --verify notebooks/*.ipynb

lock: .venv/.users  ## pin what pyproject.toml asks for and is not pinned yet; make lock ANEW=--upgrade: everything
	$(LOCK) $(ANEW) --output-file requirements.lock
	$(LOCK) $(ANEW) --group dev --constraint requirements.lock --output-file requirements-dev.lock

clean:  ## remove the environment and caches; runs/ and data/ stay
	rm -rf .venv .venv-bench .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

help:  ## this menu
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# What stands above rests on these files.

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=...")'
	@rm -rf .venv
	@if test "$(UV)" = $(BIN)/uv; then $(PYTHON) -m venv .venv; else $(UV) venv --quiet --python "$(PYTHON)" .venv; fi
	@test "$(UV)" != $(BIN)/uv || $(PY) -m pip install --quiet --disable-pip-version-check uv
	@touch $@

.venv/.users: requirements.lock pyproject.toml | .venv/.python
	@echo "Installing into .venv (about half a minute) ..."
	@$(INSTALL) --requirement requirements.lock
	@$(INSTALL) --no-deps --editable .
	@touch $@

.venv/.developers: requirements-dev.lock .venv/.users
	@$(INSTALL) --requirement requirements-dev.lock
	@$(PY) -c "import torch" 2>/dev/null || $(ORACLES) --torch-backend=cpu 2>/dev/null || $(ORACLES) || \
	  echo "PyTorch could not be installed: the tests that compare with it skip, or fail where CI=true."
	@touch $@

.venv-bench/.done: pyproject.toml .venv/.users
	$(PYTHON) -m venv --clear .venv-bench
	@$(PEERS) --group bench --torch-backend=cpu 2>/dev/null || $(PEERS) --group bench
	@$(PEERS) --no-deps --editable .
	@touch $@

$(RUNS)/.sweep: sweeps/random.yaml sweeps/bayes.yaml notebooks/03_train.ipynb $(SEARCH) requirements.lock | data
	$(PY) sweep.py run sweeps/random.yaml
	$(PY) sweep.py run sweeps/bayes.yaml --confirm 5x5
	@touch $@

$(EXECUTED): $(RUNS)/notebooks/%.ipynb: notebooks/%.ipynb $(CODE) requirements.lock | data
	$(PY) report.py run $<
$(RUNS)/notebooks/06_benchmark.ipynb: $(wildcard $(RUNS)/benchmark.json $(RUNS)/sweeping.json benchmarks/results/*.json benchmarks/results/*/*.json)
$(RUNS)/notebooks/07_every_configuration.ipynb: $(RUNS)/.sweep $(wildcard tables/*.xz)
$(RUNS)/notebooks/08_how_far.ipynb: $(wildcard tables/how_far* sweeps/how_far*)
$(RUNS)/notebooks/04_sweep.ipynb: $(RUNS)/.sweep
$(RUNS)/notebooks/05_evaluation.ipynb: $(RUNS)/.sweep notebooks/03_train.ipynb $(wildcard tables/every.csv.xz)
$(RUNS)/notebooks/09_your_own_picture.ipynb: $(RUNS)/notebooks/05_evaluation.ipynb $(wildcard notebooks/pictures/*.png)

reports/index.html: $(EXECUTED) $(wildcard lab/pages/templates/*)
	$(PY) report.py build
