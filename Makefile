# Two commands after cloning: `make search` and `make test`. Needs Python 3.11 or newer and make, nothing else.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= results/digits
# What the main job does: about two minutes on two cores. SEARCH="--trials 16 --epochs 5" makes it shorter.
SEARCH ?= --trials 128 --epochs 100

.PHONY: search test lint bench docs figures dev clean

search: $(VENV)/installed
	$(BIN)/wiring-search search --task digits --space default $(SEARCH) --out $(OUT)

# Both parts run, whatever becomes of the first: one run tells of all that fails.
test: $(VENV)/installed-test
	failed=0; \
	$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0 -m "not ray" || failed=1; \
	$(BIN)/python tests/ray_tests.py || failed=1; \
	exit $$failed

# Everything that developers use: tests, lint, docs.
dev: $(VENV)/installed-dev

lint: $(VENV)/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md docs wiring_search workers search_spaces
	$(BIN)/mypy
	$(BIN)/validate-pyproject pyproject.toml
	$(BIN)/repo-review . --show err
	$(BIN)/pre-commit validate-config
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/oxlint --deny-warnings wiring_search/report/web
	$(BIN)/oxfmt --check 'wiring_search/report/web/*.js'

bench: $(VENV)/installed-test
	$(BIN)/python benchmarks/kernel.py

# The reference out of the docstrings, then the site in site/ (warnings are errors; look at it with `mkdocs serve`).
docs: $(VENV)/installed-docs
	$(BIN)/python docs/build_reference.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The pictures of the docs, out of searches of a few minutes.
figures: $(VENV)/installed
	$(BIN)/python docs/figures/make.py

clean:
	rm -rf $(VENV) build site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"  # knows dependency groups

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

# One for each of the dependency groups: test, lint, docs, dev.
$(VENV)/installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e . --group $*
	touch $@ $(VENV)/installed
