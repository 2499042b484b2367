# make demo: train a model on the sample gallery, and open a page of its pictures, best first.  make choose: choose between its pictures.
# make test: everything the project checks about itself, on all cores.
# make quick: the tests that need no browser, run no script and measure no time.
# make docs: the page of options, from the tables of the code.  make pictures: README's pictures, from the sample gallery.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# tests/conftest.py says how many workers there are, and which files come first. A file's tests stay together, as they
# share what it makes. What one process compiles, all others use. No test reads what is logged.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
PARALLEL := --dist=loadfile --no-loadscope-reorder -p no:logging

.PHONY: demo choose test quick docs pictures chromium postgresql install spotlight test-spotlight clean

demo: $(VENV)/.installed
	$(BIN)/python examples/sample_gallery.py gallery
	$(BIN)/python aesthetic_predictor_training.py @arguments-example.txt
	$(BIN)/python aesthetic_score_from_model.py @arguments-example.txt --gallery=gallery/gallery.html --open

choose: $(VENV)/.installed
	$(BIN)/python examples/sample_gallery.py gallery
	$(BIN)/python aesthetic_ab_scorer.py @arguments-example.txt --scores=my_scores.csv

test: $(VENV)/.installed-dev chromium postgresql
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src
	$(PYTEST) --numprocesses=auto $(PARALLEL)

quick: $(VENV)/.installed-dev
	$(PYTEST) --numprocesses=logical $(PARALLEL) -m "not browser and not script and not alone"

docs: $(VENV)/.installed
	$(BIN)/python docs/make_options.py

pictures: $(VENV)/.installed-dev chromium
	test -f gallery/gallery.html || $(MAKE) demo
	$(BIN)/python docs/make_pictures.py

chromium:  # the browser that the tests drive; elsewhere than on Debian install it by hand
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || ! command -v apt-get >/dev/null \
		|| { apt-get update -qq && apt-get install -y -qq chromium; } \
		|| echo "Chromium is missing and could not be installed: the browser tests will say so."

postgresql:  # the server that the tests of several workers start; elsewhere than on Debian install it by hand
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || ! command -v apt-get >/dev/null \
		|| { apt-get update -qq && apt-get install -y -qq postgresql; } \
		|| echo "PostgreSQL is missing and could not be installed: its tests will say so."

install: $(VENV)/.installed

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.installed-dev: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@ $(VENV)/.installed

# Renumics Spotlight needs an older pandas than the rest: an environment of its own, 1.3 GB, some minutes.
spotlight: .venv-spotlight/.installed

.venv-spotlight/.installed: requirements-spotlight.txt
	$(PYTHON) -m venv .venv-spotlight
	.venv-spotlight/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-spotlight.txt
	touch $@

test-spotlight: spotlight $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/report/test_spotlight.py

clean:
	rm -rf $(VENV) .venv-spotlight gallery
