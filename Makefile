# make demo    the whole DAG on the sample subjects
# make quick   before each commit: lint, types, and the tests that take about a minute
# make test    every test but the soak tests; make soak: those
# make next    the quick tests with the newest dvc, prefect, torch, pyarrow, mediapipe, … in .venv-next
# make install GPU=1   with FAISS for the GPU; again after an update of the packages
# make gpu-check   the tests that need a GPU, and the speed of each training's loop on it
# make lock    after an edit of stages/: record each stage's code hash in versions.yaml
# make docs    after a change of a table, metric, param or command: write docs/formats.md, docs/reference/
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
STAMP := $(VENV)/installed
# Two workers more than cores, since many tests wait for servers.
WORKERS := -n $(shell expr $$(nproc) + 2) --maxprocesses 4 --dist loadfile --no-loadscope-reorder
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet
# uv takes a minute where pip takes three; it reads none of pip's settings, so they go along.
INDEX = $(firstword $(PIP_INDEX_URL) $(shell $(BIN)/python -m pip config get global.index-url 2>/dev/null))
UV = $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python \
	$(addprefix --find-links=,$(PIP_FIND_LINKS)) $(addprefix --index-url=,$(INDEX))

.PHONY: install demo quick test soak next gpu-check bench lock docs lint

install: $(STAMP) $(if $(GPU),$(VENV)/faiss-gpu)

# FAISS for the GPU replaces the CPU's: both write the same folder.
$(VENV)/faiss-gpu: $(STAMP)
	$(BIN)/python -m pip uninstall --quiet --yes faiss-cpu
	$(UV) -c constraints.txt -e '.[gpu]'
	touch $@

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -c constraints.txt uv
	$(UV) -c constraints.txt -e '.[dev]' || $(PIP) -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pipeline.report.offline_plots
	touch $@

demo: install
	idiolect demo

lint: install
	ruff check .
	ruff format --check .
	mypy
	mypy bench
	lint-imports --no-logo
	python -m pipeline.report.formats_page --check docs/formats.md
	python -m pipeline.report.metrics_page --check docs/reference/metrics.md
	python -m pipeline.report.params_page --check docs/reference/params.md
	python -m pipeline.report.cli_page --check docs/reference/cli.md

quick: lint
	pytest $(WORKERS) -m 'not slow and not soak' tests

test: lint
	pytest $(WORKERS) -m 'not soak' tests

soak: install
	pytest -m soak tests

next: install
	python .ci/next.py

gpu-check: install
	pytest -m cuda tests
	idiolect repro train_generator_base
	python bench/training.py

bench: install
	for script in $(filter-out bench/testbed.py,$(wildcard bench/*.py)); do python $$script || exit 1; done

lock: install
	python -m stages.base.config.code_version

docs: install
	python -m pipeline.report.formats_page > docs/formats.md
	python -m pipeline.report.metrics_page > docs/reference/metrics.md
	python -m pipeline.report.params_page > docs/reference/params.md
	python -m pipeline.report.cli_page > docs/reference/cli.md
