# The README's two commands: `make demo` and `make test`. Both create the environment themselves.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
OUT    ?= demo_out

.PHONY: demo test docs soak soak-fuzz soak-memory bundle clean clean-compiled

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
	$(BIN)/ruff check src tests tools examples
	$(BIN)/ruff format --check src tests tools examples
	$(BIN)/ty check --python $(VENV) src
	$(BIN)/python -m pytest

# The site in build/site; any warning, such as a link that leads nowhere, fails it.
docs: $(VENV)/.test
	$(BIN)/python tools/docs/build.py

# What takes long, two processes side by side, under 60 minutes on two cores: an hour's frames and the memory they take,
# runs that are killed and resumed, a Ray cluster that loses a worker (skipped without Ray), a thousand damaged copies of
# a clip, and 15 s of damaged copies for every reader of files, others each time. PARTS="kills cluster" runs some of it;
# tests/soak/__main__.py names the parts. DYAD_SOAK_MINUTES, _KILLS, _COPIES and DYAD_FUZZ_SECONDS make them shorter.
soak: $(VENV)/.test
	$(BIN)/python -m tests.soak $(PARTS)

# Two minutes of damaged copies for every reader of files, others each time: under 90 minutes on two cores.
# DYAD_FUZZ_SECONDS says how long, DYAD_FUZZ_ONLY which (a part of the name), DYAD_FUZZ_FIRST from which copy on.
soak-fuzz: $(VENV)/.test
	$(BIN)/python -m pytest -m soak tests/fuzz/test_readers.py

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
