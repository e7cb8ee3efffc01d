PYTHON ?= .venv/bin/python

.PHONY: setup run test slow lint bench

setup:
	python3 -m venv .venv
	$(PYTHON) -m pip install -q -e '.[test,lint,bench]'

run:
	$(PYTHON) -m keyturn.daemon complete --stdin-filename examples/statistics.py --line 19 --column 1 < examples/statistics.py

test:
	$(PYTHON) -m pytest -q

slow:
	$(PYTHON) -m pytest -q -m slow

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m pyright --pythonpath $(PYTHON)

bench:
	$(PYTHON) -m keyturn.daemon bench decode
	$(PYTHON) -m keyturn.daemon bench edit
	$(PYTHON) -m keyturn.daemon bench lsp
