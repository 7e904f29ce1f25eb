# The README's two commands: `make demo` and `make test`. Both create the environment themselves.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
OUT    ?= demo_out

.PHONY: demo test soak soak-memory bundle clean clean-compiled

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Dyad needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

demo: $(VENV)/.run
	$(BIN)/dyad demo -o $(OUT)

test: $(VENV)/.test
	$(BIN)/ruff check src tests tools
	$(BIN)/ruff format --check src tests tools
	$(BIN)/ty check --python $(VENV) src
	$(BIN)/python -m pytest

# A thousand damaged copies of a clip: under 40 minutes on two cores.
soak: $(VENV)/.test
	$(BIN)/python -m pytest -m soak tests/soak/test_corrupt.py

# The same peak of memory for 20 s and for 5 min of 720p: about 20 minutes.
soak-memory: $(VENV)/.test
	$(BIN)/python -m pytest -m soak tests/soak/test_memory.py

# Only needed after a change in web/: the built page is part of the package.
bundle:
	cd web && npm ci && npm run build

# After a change in a file that a compiled loop calls into.
clean-compiled:
	find src -name '*.nb[ic]' -delete

clean: clean-compiled
	rm -rf $(VENV) $(OUT) build dist
