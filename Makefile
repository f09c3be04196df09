# make demo: the pipe on a bundled recording; make test: the tests; make lint: ruff, mypy, codespell
# and import-linter; make nano SPEECH=FOLDER STORIES=FILE: train the bundled model, which takes hours
# (benchmarks/nano/clip_sets.py says what is in FOLDER).
# Each makes the environment it needs, with the versions in constraints.txt.

PYTHON ?= python3
VENV ?= .venv
TEST_PROCESSES ?= auto

BIN := $(VENV)/bin
SPIRITLM := $(BIN)/spiritlm
# A pipe fails with any of its commands.
SHELL := bash
PIPE := set -o pipefail;
RECORDING := spiritlm_cli/assets/7143-88743-0029.flac

.PHONY: demo test lint nano clean

demo: $(VENV)/.installed
	mkdir -p demo
	$(PIPE) $(SPIRITLM) tokenize $(RECORDING) | $(SPIRITLM) decode -o demo/resynthesis.wav
	$(PIPE) $(SPIRITLM) tokenize $(RECORDING) | $(SPIRITLM) generate --seed 1 | $(SPIRITLM) decode -o demo/out.wav
	@echo
	@echo "$(RECORDING)  the recording"
	@echo "demo/resynthesis.wav  the same, through tokens and back"
	@echo "demo/out.wav  what the model says next"
	@echo
	@echo "To go on: . $(BIN)/activate; spiritlm --help"

# A process for each core, of one thread: the networks of the tests are so small that threads wait for each other
# longer than they compute. Each process gets tests of neighboring modules, which share fixtures and compiled kernels.
# Bytecode is written whatever the environment says, since many tests start Python anew.
test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/lint-imports

nano: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/nano/recipe.py --speech $(SPEECH) --text $(STORIES) --output nano

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/make_cli.py

clean:
	rm -rf $(VENV) demo build

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Installing into $(VENV), with PyTorch: this takes some minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt
	@echo "Installing into $(VENV), with PyTorch and the tools of the tests: this takes some minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/.installed
