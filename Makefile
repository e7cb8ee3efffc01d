PYTHON ?= .venv/bin/python

.PHONY: setup run test slow lint bench vsix

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

vsix: vscode-extension/node_modules # vscode-extension/keyturn.vsix, with the server's package in it
	rm -rf build/vsix vscode-extension/dist
	mkdir -p build/vsix
	# trained exits make the server quicker, not better, and are too large to bring along
	tar -cf - --exclude='*.safetensors' pyproject.toml README.md LICENSE api daemon lsp cache models | tar -xf - -C build/vsix
	$(PYTHON) -m pip wheel -q --no-deps -w vscode-extension/dist build/vsix
	rm -rf build/vsix
	cd vscode-extension && npm run -s vsix

vscode-extension/node_modules: vscode-extension/package-lock.json
	cd vscode-extension && npm ci --loglevel=error && touch node_modules
