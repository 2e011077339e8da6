# tfotop. Each target first installs what it needs and this machine lacks; after that it only looks.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help run test lint bench screenshots test-kernels clean run-packages test-packages kernel-packages FORCE

KERNELS ?= 6.1 6.12
KERNEL_TESTS ?= tests/kernel -m sensor

# Two of these do the kernel tests, which mostly wait (tests/kernel/conftest.py).
PARALLEL ?= -n 3 --dist loadgroup

AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## list the targets (this)
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

run: run-packages .venv/run ## start the live monitor, or print one snapshot where there is no terminal (ARGS=...)
	@$(if $(AS_ROOT),$(BIN)/python -m compileall -q tfotop) # or root would write these files
	if [[ -t 0 && -t 1 || ' $(ARGS) ' =~ ' '(events|stream|doctor|probe)' ' ]]; then exec $(AS_ROOT) $(BIN)/tfotop $(ARGS)
	else exec $(AS_ROOT) $(BIN)/tfotop stream -n 1 $(ARGS); fi

# The steps all run: one failure does not hide the next.
test: test-packages .venv/dev ## run all checks and all tests (PYTEST_ARGS=...)
	@failed=
	step() { echo "== $$1"; "$${@:2}" || failed+=" $$1,"; }
	$(call lint-steps)
	if [ -z "$(AS_ROOT)" ] || ! sudo -v; then step pytest $(BIN)/pytest $(PARALLEL) $(PYTEST_ARGS)
	else
		step pytest $(BIN)/pytest --ignore=tests/kernel $(PARALLEL) $(PYTEST_ARGS)
		step 'pytest as root' sudo env PYTHONDONTWRITEBYTECODE=1 CI="$${CI-}" \
			$(BIN)/pytest -p no:cacheprovider tests/kernel $(PARALLEL) $(PYTEST_ARGS)
	fi
	$(call verdict)

lint: .venv/dev ## run the checks only: ruff, mypy, import contracts
	@failed=
	step() { echo "== $$1"; "$${@:2}" || failed+=" $$1,"; }
	$(call lint-steps)
	$(call verdict)

define lint-steps
step 'ruff check' $(BIN)/ruff check --quiet .
step 'ruff format' $(BIN)/ruff format --check --quiet .
step 'mypy' $(BIN)/mypy --strict --no-error-summary tfotop
step 'import contracts' $(BIN)/lint-imports --no-logo
endef

define verdict
[ -z "$$failed" ] || { echo "make $@: failed:$${failed%,}" >&2; exit 1; }
echo "make $@: all passed"
endef

bench: test-packages .venv/dev ## print speed and memory against their limits (BENCH_ARGS=...)
	@exec $(AS_ROOT) $(BIN)/python -m tests.bench $(BENCH_ARGS)

screenshots: .venv/dev ## make the pictures in screenshots/ anew, from recorded scenarios
	@$(BIN)/python -m screenshots.make

test-kernels: test-packages kernel-packages .venv/dev ## run the sensor's tests on other kernels, under qemu (KERNELS=...)
	@declare -A result
	for kernel in $(KERNELS); do
		echo "== kernel $$kernel"
		$(AS_ROOT) tests/kernels/run-in-kernel -k "$$kernel" -t 7200 -- env CI=true TEST_PATIENCE=10 PYTHONDONTWRITEBYTECODE=1 \
			$(BIN)/python -m pytest -q -p no:cacheprovider $(KERNEL_TESTS) \
			&& result[$$kernel]=passed || result[$$kernel]="failed (status $$?)"
	done
	for kernel in $(KERNELS); do echo "kernel $$kernel: $${result[$$kernel]}"; done
	[[ "$${result[*]}" != *failed* ]]

clean: ## remove the virtual environment and all caches of this directory
	rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis snapshot_report.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The Python environment. .venv/home names the directory that it was made for: in a copy of it nothing would work.

ifneq ($(shell cat .venv/home 2>/dev/null && $(BIN)/python -c ''),$(CURDIR))
.venv/home: FORCE
endif
.venv/home:
	@suits() { "$$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
	for python in /usr/bin/python3 python3.14 python3.13 python3.12 python3.11 python3 none; do
		if suits "$$python"; then break; fi
	done
	if [ "$$python" = none ]; then
		echo 'tfotop needs Python 3.11 or later with venv, for instance: apt-get install python3.11-venv' >&2
		exit 1
	fi
	echo "making .venv with $$("$$python" --version)"
	"$$python" -m venv --clear .venv
	echo "$(CURDIR)" >$@

.venv/run: .venv/home pyproject.toml
	@echo 'installing the Python dependencies into .venv'
	$(BIN)/pip install -qq --editable .
	touch $@

.venv/dev: .venv/home pyproject.toml
	@echo 'installing the Python dependencies of the tests into .venv'
	$(BIN)/pip install -qq --editable '.[dev]'
	touch .venv/run $@

# The distribution's packages. bcc is one of them: the "bcc" on PyPI is about something else.

ifneq ($(wildcard /usr/bin/apt-get),)
run_packages := python3 python3-venv python3-bpfcc iproute2
test_packages := $(run_packages) bpftool curl gcc haproxy httping nftables nginx tmux tshark
kernel_packages := busybox-static cpio kmod qemu-system-common qemu-system-x86
else
run_packages := python3 python3-bcc iproute
test_packages := $(run_packages) bpftool curl gcc haproxy httping nftables nginx tmux wireshark-cli
kernel_packages := # tests/kernels needs apt: the kernels are Debian's
endif

run-packages:
	@$(call install,$(run_packages))
test-packages:
	@$(call install,$(test_packages))
kernel-packages:
	@$(call install,$(kernel_packages))

ifneq ($(wildcard /usr/bin/apt-get),)
installed = dpkg-query -W -f '$${db:Status-Status} $${Package}\n' $(1) 2>/dev/null | sed -n 's/^installed //p'
get_packages = $(get_with_apt)
else
installed = rpm -q --qf '%{NAME}\n' $(1)
get_packages = $(AS_ROOT) dnf -q -y install $$missing
endif

ifneq ($(wildcard /usr/bin/apt-get /usr/bin/dnf),)
define install
missing=$$(comm -13 <($(call installed,$(1)) | sort) <(printf '%s\n' $(1) | sort) | xargs)
[ -n "$$missing" ] || exit 0
echo "installing packages: $$missing"
$(get_packages)
endef
else
install = echo 'neither apt-get nor dnf here; tfotop needs the packages that are called there: $(1)' >&2
endif

# A package's daemon (nginx, HAProxy) must not start: policy-rc.d says so while we install, disabling says so for the next
# boot.
define get_with_apt
log=$$(mktemp)
policy=/usr/sbin/policy-rc.d
trap 'rm -f "$$log"' EXIT
if [ ! -e $$policy ]; then
	trap 'rm -f "$$log"; $(AS_ROOT) rm -f $$policy' EXIT
	printf '#!/bin/sh\nexit 101\n' | $(AS_ROOT) tee $$policy >/dev/null
	$(AS_ROOT) chmod 755 $$policy
fi
apt() { $(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$$@" >"$$log" 2>&1; }
apt update || { cat "$$log"; echo 'going on with the old package lists'; } >&2
apt install -y --no-install-recommends $$missing || { cat "$$log" >&2; exit 1; }
for daemon in haproxy nginx; do
	if [[ " $$missing " == *" $$daemon "* ]]; then $(AS_ROOT) update-rc.d "$$daemon" disable; fi
done
endef
