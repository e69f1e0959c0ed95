# Everything runs in a virtual environment of its own, made on first use.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready

.PHONY: demo test check bench stats clean

# The main job on what the package itself carries: no network but the package index.
demo: $(READY)
	$(BIN)/mteb run -m mteb-hybrid/tiny -t ParallelWorld ParallelWorldLanguageBias --output-folder demo -v 1
	$(BIN)/mteb-hybrid table demo

test: $(READY)
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# BENCH="--model FOLDER --sample 8" measures with a model of your own.
bench: $(READY)
	$(BIN)/python -m tests.benchmarks.bench_evaluation $(BENCH)

# The descriptive statistics in tasks/, after data or tasks have changed.
stats: $(READY)
	$(BIN)/python -m tests.benchmarks.describe_tasks

clean:
	rm -rf $(VENV) demo build dist *.egg-info

# torch comes first and pinned: what the others would choose may be gigabytes for other hardware.
$(READY): pyproject.toml constraints.txt setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
