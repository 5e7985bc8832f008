# Everything starts here: `make` lists the commands. Only Python 3.11+ and make are
# needed; the rest goes into .venv on the first run.

PYTHON ?= python3
ARGS   ?=
BIN    := .venv/bin

# Two workers share the cores: more threads than cores slow torch down tenfold.
# Tests and stored outputs must not touch what the reader has solved.
WORKERS  := -n 2
ISOLATED := OMP_NUM_THREADS=1 LMCOURSE_PROGRESS=$(CURDIR)/.venv/progress-of-tests.jsonl

MAKEFLAGS += --no-print-directory
.PHONY: help set-up set-up-tests lab test verify browser outputs book lint bench \
    long colab lock

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

set-up:
	@$(PYTHON) tools/set_up.py

set-up-tests:
	@$(PYTHON) tools/set_up.py --tests

lab: set-up  ## open the course in JupyterLab (ARGS="--no-browser --port 8899")
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb \
	    $(if $(filter 0,$(shell id -u)),--allow-root) $(ARGS)

test: set-up-tests  ## run every test and every notebook, quickly (profile smoke)
	@rm -f .venv/progress-of-tests.jsonl
	$(ISOLATED) $(BIN)/pytest $(WORKERS) --dist worksteal -m "not browser" $(ARGS) \
	    tests --ignore tests/browser --ignore tests/notebooks/test_verify.py
	$(ISOLATED) LMCOURSE_PROFILE=smoke $(BIN)/pytest $(WORKERS) --dist loadscope $(ARGS) \
	    --nbval-lax --nbval-current-env --nbval-cell-timeout 120 notebooks

verify: set-up-tests  ## run every notebook in full and compare every number in its text
	@rm -f .venv/progress-of-tests.jsonl
	$(ISOLATED) $(BIN)/pytest $(WORKERS) --dist worksteal $(ARGS) \
	    tests/notebooks/test_verify.py

# Two runs, because one process drives one browser.
browser: set-up-tests  ## use JupyterLab and the book in a real browser (needs Chromium)
	$(ISOLATED) $(BIN)/pytest -m browser $(ARGS) tests/book
	$(ISOLATED) $(BIN)/pytest -m browser $(ARGS) tests/browser

outputs: set-up  ## run notebooks whose sources changed, and store their outputs
	$(BIN)/python -m lmcourse.execution $(ARGS)

book: set-up  ## build the static book in _book
	$(BIN)/python -m lmcourse.book $(ARGS)

lint: set-up  ## check style and formatting, of notebooks too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: set-up-tests  ## measure the package beside nltk, kenlm and PyTorch
	$(BIN)/python benchmarks/ngrams.py $(ARGS)
	$(BIN)/python benchmarks/neural.py

long: set-up  ## run a long recipe, or go on with it (NAME=language_models)
	$(BIN)/python recipes/$(NAME).py $(ARGS)

colab: set-up  ## run the notebooks with Colab's versions (needs Python 3.13)
	$(BIN)/python tools/colab.py $(ARGS)

# One lock for all systems. PyTorch's Linux build brings its own exact CUDA packages,
# which its CPU build and macOS must not get.
lock:  ## choose new exact versions for requirements.lock (needs uv)
	echo torch==2.13.0 | uv pip compile pyproject.toml --extra test --universal \
	    --python-version 3.11 --no-header --no-annotate --constraint - --upgrade \
	    | grep -vE '^(nvidia|cuda|triton)' > requirements.lock.part
	mv requirements.lock.part requirements.lock
