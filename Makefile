PYTHON ?= python3
BIN := .venv/bin
BENCH := .venv-bench
QUICK :=  # --quick measures everything once, and writes nothing
export NO_MKDOCS_2_WARNING := 1
export OMP_WAIT_POLICY := passive  # or the threads of one test run spin while another waits
READY := .venv/ready
NODE_READY := tests/site/node_modules/.package-lock.json
PAGES := docs README.md

.DEFAULT_GOAL := help
.PHONY: help serve site test test-code test-site test-browsers update lint bench

help: ## list these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

serve: $(READY) ## serve the site at http://127.0.0.1:8000 and rebuild it when a page changes
	EXECUTE_NOTEBOOKS=false OFFLINE_COPY=false $(BIN)/mkdocs serve --dev-addr 127.0.0.1:8000

site: $(READY) ## build the site into site/
	$(BIN)/mkdocs build --strict

test: export OMP_NUM_THREADS := 1  # three processes share the cores
test: $(NODE_READY) .venv/chromium ## run every snippet of every page, and all other tests
	$(MAKE) --jobs=2 --output-sync --no-print-directory test-code test-site

test-code: $(READY)
	EXECUTE_NOTEBOOKS=false OFFLINE_COPY=false $(BIN)/mkdocs build --strict --site-dir .cache/site
	$(BIN)/python -m pytest --codeblocks --census=.cache/site $(PAGES) tests --ignore=tests/site --ignore=tests/cross_browser

test-site: $(READY)
	nice $(BIN)/python -m pytest --numprocesses=2 --dist=loadfile tests/site

test-browsers: .venv/browsers ## take a reader's paths through the site in Firefox and WebKit
	$(BIN)/python -m pytest tests/cross_browser

update: $(READY) ## rewrite outputs, figures, bound numbers and listings that are no longer true
	$(BIN)/python -m executable_pages update $(PAGES) --record docs/checked.json --version-of torch

lint: $(READY) ## check format, style and types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/codespell docs README.md src overrides tests benchmarks Makefile mkdocs.yml pyproject.toml

bench: $(READY) $(BENCH)/ready .venv/window ## measure the package, the harness and the site beside others
	$(BIN)/python benchmarks/pages.py $(QUICK)
	PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix benchmarks --no-audit --no-fund --silent
	$(BIN)/python benchmarks/site.py $(QUICK)
	$(BENCH)/bin/python benchmarks/package.py $(QUICK)
	$(BIN)/python -m executable_pages update docs/speed.md --exact

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(NODE_READY): tests/site/package.json tests/site/package-lock.json $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix tests/site --no-audit --no-fund --silent
	@touch $@

.venv/chromium: $(READY)
	$(BIN)/python tests/browsers.py chromium
	@touch $@

.venv/window: $(READY)
	$(BIN)/python tests/browsers.py chromium window pointer screen
	@touch $@

.venv/browsers: $(READY)
	$(BIN)/python tests/browsers.py firefox webkit screen
	@touch $@

# fastai requires torchvision, which its Learner does not use. One built for GPUs, beside a PyTorch
# for CPUs, keeps Lightning from being imported.
$(BENCH)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[peers]'
	$(BENCH)/bin/python -m pip uninstall --quiet --yes torchvision
	@touch $@
