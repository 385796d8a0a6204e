PYTHON ?= python3
BIN := .venv/bin
BENCH := .venv-bench
export NO_MKDOCS_2_WARNING := 1
READY := .venv/ready
PAGES := docs README.md

.DEFAULT_GOAL := help
.PHONY: help serve site test update lint bench

help: ## list these commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

serve: $(READY) ## serve the site at http://127.0.0.1:8000 and rebuild it when a page changes
	EXECUTE_NOTEBOOKS=false $(BIN)/mkdocs serve --dev-addr 127.0.0.1:8000

site: $(READY) ## build the site into site/
	$(BIN)/mkdocs build --strict

test: site ## run every snippet of every page, and all other tests
	$(BIN)/python -m pytest --codeblocks --census=site $(PAGES) tests

update: $(READY) ## rewrite outputs, figures, bound numbers and listings that are no longer true
	$(BIN)/python -m executable_pages update $(PAGES)

lint: $(READY) ## check format, style and types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

bench: $(READY) $(BENCH)/ready ## measure the package beside others, the harness beside plain exec
	$(BIN)/python benchmarks/pages.py
	$(BENCH)/bin/python benchmarks/package.py
	$(BIN)/python -m executable_pages update docs/speed.md

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# fastai requires torchvision, which its Learner does not use. One built for GPUs, beside a PyTorch
# for CPUs, keeps Lightning from being imported.
$(BENCH)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[peers]'
	$(BENCH)/bin/python -m pip uninstall --quiet --yes torchvision
	@touch $@
