# make demo: the main job, from a corpus to a model that answers over HTTP.   make test: linters, types and tests.
# make docs: the documentation site, in build/site.   make dist: the sdist and the wheel, in dist.
# Each sets up .venv first and needs nothing but Python 3.11, 3.12 or 3.13 (`make test PYTHON=/path/to/python` to choose).

BIN := .venv/bin
# Test processes at a time: each takes a core and up to 3 GB.
JOBS := 2
CANDIDATES := $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python)
# TensorFlow 2.21 is built for these versions; Debian and Ubuntu package venv's ensurepip apart.
SUITABLE := import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))

.PHONY: demo test docs dist setup clean

demo: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash data_scripts/run_demo.sh

test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --config-file docs/site/mkdocs.yml
	@echo "Open build/site/index.html"

dist: setup
	$(BIN)/python -m build

setup: .venv/installed

.venv/installed: pyproject.toml
	@for python in $(CANDIDATES); do \
	  if "$$python" -c '$(SUITABLE)' 2>/dev/null; then found="$$python"; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "error: none of [$(CANDIDATES)] is a Python 3.11, 3.12 or 3.13 with venv and ensurepip." >&2; \
	  echo "Install one (on Debian and Ubuntu also its -venv package), or name it: make $(MAKECMDGOALS) PYTHON=..." >&2; \
	  exit 1; \
	fi; \
	echo "Setting up .venv with $$("$$found" --version): TensorFlow and what else is needed, some minutes and 2.5 GB"; \
	"$$found" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv build dist runs/demo exports/demo exports/demo-onnx data/demo
