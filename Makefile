# SPDX-License-Identifier: GPL-2.0-or-later
# The commands people type. CMake and Ninja do the work; the presets are in CMakePresets.json.

PREFIX ?= /usr/local
DESTDIR ?=
export DESTDIR

# What needs root when the rest does not: the demo mounts file systems and attaches loop devices.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: help build demo check check-exhaustive soak canaries bench fuzz format lint install packages \
  check-packages guest guest-boot guest-root deb deb-check

help:
	@echo 'make build    install what is missing, build the programs: build/bin/dmremap, build/bin/dmremap-lab'
	@echo 'make demo     see a failing disk keep working (root or sudo; under 3 minutes)'
	@echo 'make check    all tests (root for the end-to-end ones: without it they are skipped)'
	@echo 'make check-exhaustive  the quorum rule over all states and three million lives'
	@echo 'make guest    all tests in guests of their own kernel, under QEMU (make check runs the short ones)'
	@echo 'make guest-root  the root file system on a set: ROOT_BOOTS=n shutdowns and power cuts (30), in hours'
	@echo 'make guest-boot  GUEST_BOOTS boots (20) with devices in any order, late, missing or hanging, and what a boot costs'
	@echo 'make bench    measure what the front ends, the scan, lookups, requests, commits and openings cost'
	@echo 'make fuzz     each fuzzer for ten minutes (FUZZ_SECONDS=n for less or more)'
	@echo 'make lint     clang-format, clang-tidy, layers, licence lines'
	@echo 'make format   rewrite the sources with clang-format'
	@echo 'make deb      the Debian packages, in build/deb'
	@echo 'make deb-check  try them: lintian, install, upgrade, remove, DKMS, a second build (root; takes long)'
	@echo 'make install  into $$DESTDIR$$PREFIX (default /usr/local)'

packages:
	@tools/install-packages

# Those of tests, benches, fuzzers and linters too.
check-packages:
	@tools/install-packages --checks

build: packages
	@tools/build release

demo: build
	@$(AS_ROOT) python3 demo/demo.py

check: check-packages
	@tools/check

check-exhaustive: check-packages
	@tools/build release quorum_test quorum-table
	@DMREMAP_EXHAUSTIVE=1 build/bin/quorum_test
	@build/bin/quorum-table --exhaustive

guest: check-packages
	@tools/build release guest_programs
	@ctest --test-dir build -C all -L guest --output-on-failure --no-tests=error -j "$$(nproc)"

ROOT_BOOTS ?= 30
guest-root: check-packages
	@tools/build release guest_programs
	@$(AS_ROOT) env ROOT_BOOTS=$(ROOT_BOOTS) python3 tests/guest/root_on_set.py all

# GUEST_SEED=N repeats a run, on the same number of boots.
GUEST_BOOTS ?= 20
GUEST_SEED ?= $(shell date +%s)
guest-boot: check-packages
	@tools/build release guest_programs
	@tests/guest/guest run boots_random --timeout $$((600 + 600 * $(GUEST_BOOTS))) \
	  --append guest.boots=$(GUEST_BOOTS) --append guest.seed=$(GUEST_SEED)
	@$(AS_ROOT) env GUEST_BOOTS=$(GUEST_BOOTS) GUEST_SEED=$(GUEST_SEED) python3 tests/guest/root_on_set.py boots
	@tests/guest/guest run boot_time

# At least 10 million requests and 100,000 crashes; from another seed every day.
soak: check-packages
	@tools/build release simulate
	@build/bin/simulate --seed $$(date +%Y%m%d000000) --seeds 100000000 --requests 10000000 \
	  --crashes 100000 --complete

# After how many seeds each trap is found.
canaries: check-packages
	@tools/build release canaries
	@for canary in build/bin/canary_*; do \
	  printf '%-42s ' "$${canary#build/bin/canary_}"; "$$canary" --canary --seeds 20000 --threads 1; done

bench: check-packages
	@tools/build release product benches guest_programs
	@$(AS_ROOT) python3 bench/frontend.py
	@$(AS_ROOT) python3 bench/frontend.py --block 1m --depth 4
	@$(AS_ROOT) python3 bench/nbd.py
	@python3 bench/scrub_virtual.py
	@$(AS_ROOT) python3 bench/scrub.py
	@build/bin/bench_metadata
	@build/bin/bench_lookup
	@build/bin/bench_engine
	@build/bin/bench_scan
	@python3 bench/instructions.py build/bin/bench_instructions
	@python3 bench/kernel_instructions.py

fuzz: check-packages
	@tools/fuzz

format: check-packages
	@tools/sources cpp | xargs -0 clang-format-14 -i

lint: check-packages
	@tools/lint

install: build
	cmake --install build --prefix $(PREFIX)

deb:
	@tools/install-packages --deb
	@tools/deb

deb-check: deb
	@$(AS_ROOT) env DEBS='$(DEBS)' tools/deb-check
