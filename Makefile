# Particle Lab. The first command on a fresh machine sets up .venv; later ones only when the lock has changed.
.DEFAULT_GOAL := help
.PHONY: help setup run test lab dashboards bench lock format

BIN := .venv/bin
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,$(shell \
	$(p) -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))" 2>/dev/null && echo $(p))))
READY := .venv/ready

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1	/' | expand -t 18

setup: $(READY)  ## the environment in .venv, and nothing else

run: $(READY)  ## run all notebooks and write the report: reports/index.html
	$(BIN)/particlelab batch notebooks/sweeps/tour.yaml

test: $(READY)  ## format, lint, architecture and all tests
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports --no-cache
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses=2 --dist=loadfile  # two processes of one core each

lab: $(READY)  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks/00_overview.ipynb

dashboards: $(READY)  ## serve the notebooks as dashboards, after what they show was computed once
	-$(BIN)/particlelab batch notebooks/sweeps/tour.yaml
	$(BIN)/particlelab serve

bench: $(READY)  ## measure speed and memory, as ratios to what a user would otherwise use
	$(BIN)/python tests/benchmarks/run.py

lock: $(READY)  ## resolve requirements.lock anew from pyproject.toml, and environment.yml with it
	env -u UV_INDEX_URL -u UV_DEFAULT_INDEX $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --group dev \
		--no-emit-index-url --no-emit-find-links --no-header $(LOCKFLAGS) --output-file requirements.lock pyproject.toml
	sed -i.old -E "s/^(  - python ).*/\1$$(sed -nE 's/^requires-python = "(.*)"/\1/p' pyproject.toml)/" environment.yml
	rm -f environment.yml.old

format: $(READY)  ## format the code as the tests want it
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Particle Lab needs Python 3.11, 3.12 or 3.13; name one with: make PYTHON=/path/to/python $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up .venv (once; about 9 GB with PyTorch and TensorFlow) ..."
	@rm -f $@
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(uv==[^ ;]*\).*/\1/p' requirements.lock)"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@
