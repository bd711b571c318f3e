# `make` lists what there is to make. Everything runs from .venv, which `make install` builds.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.PHONY: help install demo test coverage test-all bench lint horovod clean
MAKEFLAGS += --no-print-directory

# Pins reach the environments that pip builds packages in by these variables only, not by `pip install -c`.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Commands that the tests run elsewhere report to this file too.
export COVERAGE_FILE := $(CURDIR)/.coverage
# The last coverage for Python 3.8 can't measure such commands, and says so in their output.
# Without MXNet, from 3.13 on, much of the code is not reached.
COVERAGE := .venv/bin/python -c 'import sys; print("--cov" * ((3, 9) <= sys.version_info < (3, 13)))'

# A worker more than there are cores, with one thread each: many tests wait for what they start. `loadfile`: what tests
# of a file share is made once. Without kept bytecode each of the many commands that the tests start would compile the
# package anew.
PYTEST := env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1 \
    .venv/bin/python -m pytest -n $$(($$(nproc) + 1)) --maxprocesses=8 --dist=loadfile

# The first that can run MXNet 1.9.1 is taken; `make install PYTHON=/path/to/python` names another. One that is too new for
# MXNet gets all that needs none.
PYTHON ?=
comma := ,
PYTHONS := $(or $(PYTHON),python3.11 python3.10 python3.12 python3.9 python3.8 python3)

# Says what keeps an interpreter from being taken; nothing if all is well.
define PROBE
import platform, sys
version = "%d.%d" % sys.version_info[:2]
if not (3, 8) <= sys.version_info[:2] <= (3, $(if $(PYTHON),99,12)):
    sys.exit(print("is Python " + version))
if (sys.platform, platform.machine()) != ("linux", "x86_64") or sys.maxsize < 2**32:
    sys.exit(print("is not for 64-bit Linux on x86"))
try:
    import ensurepip, venv
except ImportError:
    print("lacks its venv module (Debian, Ubuntu: apt-get install python%s-venv)" % version)
endef
export PROBE

define IMPORTS
import sys
if sys.version_info < (3, 13):
    import ocr_lib.net.quantized_lstm
import captcha.image, fontTools.ttLib, matplotlib.pyplot, msgspec, rapidfuzz, tensorboardX, tqdm
import ocr_lib.draw.fast, ocr_lib.deploy.export, scipy.stats
endef
export IMPORTS

define FUNCTIONS
say() { printf '[%3d s] %s\n' "$$SECONDS" "$$*"; }
fail() { printf 'make: %s\n' "$$*" >&2; exit 1; }
trap 'fail "interrupted; the next run takes it up again"' INT

# Sets `python` to the interpreter to build .venv with.
pick_python() {
    local fault faults=
    for python in $(PYTHONS); do
        if ! command -v "$$python" >/dev/null; then
            $(if $(PYTHON),fault="is not there",continue)
        else
            fault=$$("$$python" -c "$$PROBE" 2>/dev/null) || fault="does not run"
        fi
        [[ -n $$fault ]] || return 0
        faults+="$${faults:+; }$$python $$fault"
    done
    fail "no usable Python $(if $(PYTHON),at PYTHON=$(PYTHON): it takes,on the PATH: MXNet 1.9.1 needs)" \
        "Python 3.8 $(if $(PYTHON),or newer,to 3.12) on 64-bit x86 Linux$${faults:+ ($$faults)}; PYTHON=/path/to/python names one"
}

# pip_install EXTRAS: installs the working tree with them into .venv, and tells the large downloads as they come.
pip_install() {
    local log=.venv/install.log word file size
    .venv/bin/python -m pip install --no-compile --progress-bar off --editable ".[$$1]" 2>&1 | tee "$$log" |
        while read -r word file size; do
            case "$$word $$size" in  # e.g. Downloading numpy-1.26.4-cp311.whl (18.3 MB)
                "Downloading ("*" MB)") say "downloading $${file%%-*} $$size" ;;
                "Installing packages: "*) say "installing $$(wc -w <<<"$${size#*: }") packages" ;;
            esac
        done || { tail -n 12 "$$log" >&2; fail "pip failed: above, the end of $$log"; }
}
endef

help: ## list these targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: .venv/.train ## build .venv with all that training needs

# A PYTHON other than the one .venv was made with makes it anew.
ifneq ($(PYTHON),)
ifneq ($(PYTHON),$(file <.venv/.python))
.PHONY: .venv/.train
endif
endif

# A stamp is the last thing that is written: what was interrupted is done again.
.venv/.train: setup.cfg constraints.txt
	@$(FUNCTIONS)
	rm -f .venv/.train .venv/.test .venv/.lint
	if [[ -n "$(PYTHON)" && "$(PYTHON)" != "$$(cat .venv/.python 2>/dev/null)" ]] ||
	    ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
	    pick_python
	    say "making .venv with $$python, $$("$$python" --version)"
	    "$$python" -m venv --clear .venv || fail "$$python -m venv failed, see above"
	    echo "$$python" >.venv/.python
	fi
	say "resolving packages (the downloads are some 220 MB, unless pip has them)"
	pip_install train,export
	say "first import, which compiles what is needed"
	env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -W ignore -c "$$IMPORTS" || fail "an installed package does not load, see above"
	touch $@
	say "ready: .venv"

.venv/.test .venv/.lint: .venv/.train
	@$(FUNCTIONS)
	say "adding what make $(@:.venv/.%=%) needs"
	pip_install train,export,serve,client,lmdb,$(if $(filter %test,$@),warpctc$(comma)test,lint)
	touch $@

demo: install ## train a reader of captchas in 4 minutes or less, then let it read images that it never saw
	@$(FUNCTIONS)
	say "training on captchas in the fonts of font/, rendered as it goes"
	.venv/bin/python lstm_ocr_train.py --prefix demo/ocr --overwrite --target-accuracy 0.997 --time-budget 220 font/
	say "rendering captchas that it never saw, and reading them"
	rm -rf demo/unseen
	.venv/bin/python captcha_generator.py font/ --count 12 --out demo/unseen --seed 2024
	.venv/bin/python lstm_ocr_infer.py --prefix demo/ocr --confidence --plot demo/reading.png --overwrite demo/unseen
	.venv/bin/python benchmarks/accuracy.py --prefix demo/ocr --count 1000 font/
	say "done: the texts are in demo/unseen/labels.tsv, a picture in demo/reading.png, curves in demo/ocr-log"

test: .venv/.test ## run the tests
	@$(PYTEST)

# It makes the tests take half as long again.
coverage: .venv/.test ## run the tests and tell the lines that none reaches (from Python 3.9 on)
	@$(PYTEST) $$($(COVERAGE))

test-all: .venv/.test ## run the tests and the slow ones, whole runs that take minutes, with coverage
	@$(PYTEST) $$($(COVERAGE)) -m ""

bench: install ## run the benchmarks, 15 minutes at most, and write docs/benchmarks.md (beside PyTorch, if .venv has it)
	@.venv/bin/python benchmarks/run_all.py

lint: .venv/.lint ## check format, style and types
	@.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy

# Built against the MXNet that is there, and for Gloo alone. Its build imports MXNet, which needs a name that numpy lost.
horovod: install ## build Horovod into .venv, to connect machines by it (Debian: apt-get install cmake g++)
	@$(FUNCTIONS)
	for program in cmake g++; do
	    command -v "$$program" >/dev/null || fail "Horovod's build needs $$program (Debian, Ubuntu: apt-get install cmake g++)"
	done
	say "building Horovod, which takes some minutes"
	.venv/bin/python -m pip install --quiet setuptools wheel packaging cloudpickle psutil pyyaml
	mkdir -p .venv/horovod-build
	echo 'import numpy; numpy.bool = bool' >.venv/horovod-build/sitecustomize.py
	PYTHONPATH="$$PWD/.venv/horovod-build" PATH="$$PWD/.venv/bin:$$PATH" PIP_CONSTRAINT= \
	    HOROVOD_WITH_MXNET=1 HOROVOD_WITH_GLOO=1 HOROVOD_WITHOUT_MPI=1 HOROVOD_WITHOUT_PYTORCH=1 HOROVOD_WITHOUT_TENSORFLOW=1 \
	    .venv/bin/python -m pip install --no-build-isolation --no-deps horovod==0.28.1 >.venv/horovod.log 2>&1 ||
	    { tail -n 12 .venv/horovod.log >&2; fail "Horovod was not built: above, the end of .venv/horovod.log"; }
	say "ready: lstm_ocr_launch.py --kv-store horovod"

clean: ## remove .venv, caches, builds and demo/
	@rm -rf .venv build dist demo htmlcov *.egg-info .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
