# `make demo` shows the main job on a bundled run; `make test` passes the tests. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev

.PHONY: help demo test test-torch lint format fixtures bench accuracy schema docs clean

help:
	@echo "make demo      scan a bundled faulty run"
	@echo "make test      ruff, mypy, import-linter, the rules' own tests, pytest"
	@echo "make format    format the code"
	@echo "make fixtures  make the bundled runs again (installs torch and TensorFlow)"
	@echo "make docs      make docs/reference/ again from the rules and the command line"
	@echo "make bench     measure"
	@echo "make accuracy  train the labelled runs that are not there yet, scan them, write docs/accuracy.md (HALF=development leaves the held-out half alone)"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("mlcheck needs Python 3.11 or later, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml hatch_build.py $(wildcard mlcheck/native/*.[ch]) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(DEV): pyproject.toml $(RUN)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

demo: $(RUN)
	@echo '$$ mlcheck scan fixtures/diverging'
	@echo
	@$(BIN)/mlcheck scan fixtures/diverging --color always; code=$$?; echo; \
	echo "The exit code is $$code. 0: clean, 1: a finding at or above --fail-on (default: error), so a CI job stops here,"; \
	echo "2: usage, configuration or rule error, 3: no run data found."; \
	test $$code -eq 1

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/mlcheck test
	$(BIN)/python -m pytest -n 2

test-torch: $(DEV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'torch==2.13.0'
	$(BIN)/python -m pytest -m torch

format: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(DEV)
	$(BIN)/python -m mlcheck.reporters.schema > schema/mlcheck.report-1.schema.json

docs: $(DEV)
	$(BIN)/python -m tools.make_docs

# TensorFlow wants another protobuf than the one that the tests run with, so it gets an environment of its own.
fixtures: $(DEV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'torch==2.13.0'
	$(BIN)/python fixtures/make_torch.py
	$(BIN)/python fixtures/make_dumps.py
	@echo "fixtures/make_writers.py names the packages that it needs (Hugging Face, Lightning, Keras, SB3, MLflow, DVCLive)"
	$(PYTHON) -m venv $(VENV)-tensorflow
	$(VENV)-tensorflow/bin/python -m pip install --quiet --disable-pip-version-check tensorflow-cpu tensorboard
	$(VENV)-tensorflow/bin/python fixtures/make_tensorflow.py

bench: $(DEV)
	$(BIN)/python -m bench.run

# The runs are kept: a run is trained again only when its recipe has changed. One that does not turn out as planned is left out.
HALF ?= all
ACCURACY := build/accuracy
accuracy: $(DEV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group accuracy
	-$(BIN)/python -W ignore -m bench.accuracy.train --root $(ACCURACY) --half $(HALF) --jobs 2
	$(BIN)/python -W ignore -m bench.accuracy.score --root $(ACCURACY) --half $(HALF) --jobs 2 -o docs/accuracy.md

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
