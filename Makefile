# Two commands after cloning: `make search` and `make test`. Needs Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= results/digits
# What the main job does: about two minutes on two cores. SEARCH="--trials 16 --epochs 5" makes it shorter.
SEARCH ?= --trials 128 --epochs 100

.PHONY: search test lint bench docs figures clean

search: $(VENV)/installed
	$(BIN)/wiring-search search --task digits --space default $(SEARCH) --out $(OUT)

# Both parts run, whatever becomes of the first: one run tells of all that fails.
test: $(VENV)/installed-test
	failed=0; \
	$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0 -m "not ray" || failed=1; \
	$(BIN)/python tests/apart.py || failed=1; \
	exit $$failed

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(VENV)/installed-test
	$(BIN)/python benchmarks/kernel.py

# The reference out of the docstrings, and the pictures out of searches of a few minutes.
docs: $(VENV)/installed
	$(BIN)/python docs/build_reference.py

figures: $(VENV)/installed
	$(BIN)/python docs/figures/make.py

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test]"
	touch $@ $(VENV)/installed
