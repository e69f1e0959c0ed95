# Everything runs in a virtual environment of its own, made on first use.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready

.PHONY: demo test faults soak matrix check bench stats clean

# The main job on what the package itself carries: no network but the package index. Data are made, a tiny encoder is
# trained with each kind of batch, and mteb evaluates all four.
DEMO = MTEB_HYBRID_MODELS=demo/models.toml
STRATEGIES = mono cross hybrid
demo: $(READY)
	rm -rf demo
	for strategy in $(STRATEGIES); do \
	  $(DEMO) $(BIN)/mteb-hybrid train tiny --set batches.strategy=$$strategy --name tiny-$$strategy \
	    --output demo/tiny-$$strategy || exit; \
	done
	for model in mteb-hybrid/tiny $(STRATEGIES:%=tiny-%); do \
	  $(DEMO) $(BIN)/mteb run -m $$model -t ParallelWorld ParallelWorldLanguageBias --output-folder demo/results -v 1 || exit; \
	done
	$(DEMO) $(BIN)/mteb-hybrid table demo/results --baseline mteb-hybrid/tiny

# A process a core; who is done early takes from the others.
test: $(READY)
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

# Every endpoint of the Hub failing in every way, and every activity meeting every fault; `test` tries some of them.
faults: $(READY)
	ALL_FAULTS=1 $(BIN)/python -m pytest tests/publishing/test_faults.py
	FAULTS=1 $(BIN)/python -m pytest tests/faults -s

# kill -9, 40 times in each of six activities, seeded (SOAK_KILLS, SOAK_SEED); processes that share the encoding; hostile input
# at length. `test` does a little of each.
soak: $(READY)
	SOAK=1 $(BIN)/python -m pytest tests/soak tests/large/test_processes.py
	FUZZ_EXAMPLES=1000 $(BIN)/python -m pytest tests/hostile

# Each Python with the newest of what this builds on, the first and the last with the oldest, installed for real; the index is
# asked. MATRIX="--only 3.12 3.11-oldest" takes some.
matrix: $(READY)
	$(BIN)/python -m tests.matrix $(MATRIX)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# BENCH="--model FOLDER" measures with a model of your own; EVALUATION="--sample 16", TRAINING, BUILDING="--rows 1000000"
# POOL="--passages 10000000" and LANGUAGES="--languages 122" are options of one part.
bench: $(READY)
	$(BIN)/python -m tests.benchmarks.bench_evaluation $(BENCH) $(EVALUATION)
	$(BIN)/python -m tests.benchmarks.bench_training $(BENCH) $(TRAINING)
	$(BIN)/python -m tests.benchmarks.bench_building $(BUILDING)
	$(BIN)/python -m tests.benchmarks.bench_pool --folder bench $(POOL)
	$(BIN)/python -m tests.benchmarks.bench_languages $(LANGUAGES)

# The descriptive statistics in tasks/, after data or tasks have changed.
stats: $(READY)
	$(BIN)/python -m tests.benchmarks.describe_tasks

clean:
	rm -rf $(VENV) demo build dist *.egg-info

# torch comes first and pinned: what the others would choose may be gigabytes for other hardware. Nothing is compiled to
# bytecode that may never be imported.
$(READY): pyproject.toml constraints.txt setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	touch $@
