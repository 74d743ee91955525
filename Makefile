# `make up` hardens a disposable lab host, `make test` checks everything. Other stacks: make preview STACK=production
STACK ?= lab
PYTHON ?= python3
RUN := .venv/bin/python
STOCKADE := $(RUN) -m cli
LAB_HOSTS := web1
PACKAGED := tests/lab

.DEFAULT_GOAL := help
# Compiled Python is kept apart from the sources, tests compiled by pytest too: starting takes seconds less.
export PYTHONDONTWRITEBYTECODE =
export PYTHONPYCACHEPREFIX = $(CURDIR)/.venv/pycache
.PHONY: auditors kernel-tools shells test-packaged help up up-all test-distributions check look preview refresh destroy drift fleet show lab clean test lint format types unit ssh-tests policies engine fleet-tests kernel lab-tests lockout test-kernel test-language test-faults test-adopt test-debian test-all-or-nothing test-neighbours test-life test-lies mutants scores lock record-state schema docs bench bench-short thousand thousand-short

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

up: .venv/ready lab  ## harden the hosts of STACK (the lab's by default) and show what is enforced
	@$(STOCKADE) up --stack $(STACK) --yes
	@$(MAKE) --no-print-directory show

preview: .venv/ready lab  ## show what `make up` would change, line by line
	@$(STOCKADE) preview --stack $(STACK) --diff

look: .venv/ready lab  ## log in and print what listens and filters on the hosts of STACK; nothing is changed
	@$(STOCKADE) look --stack $(STACK)

refresh: .venv/ready lab  ## read the hosts and take what changed there into the state
	@$(STOCKADE) refresh --stack $(STACK) --yes

drift: .venv/ready lab  ## fail if a host is not as the stack config says
	@$(STOCKADE) drift --stack $(STACK)

destroy: .venv/ready lab  ## put back what was there before
	@$(STOCKADE) destroy --stack $(STACK) --yes

DO := preview
FLEET :=
fleet: .venv/ready  ## all shards of an environment: make fleet DO=up STACK=production FLEET="--parallel-stacks 4"
	@$(STOCKADE) fleet $(DO) $(STACK) --yes $(FLEET)

show: .venv/ready  ## print the rules in force on the lab's hosts, as the guide does
ifeq ($(STACK),lab)
	@for host in $(LAB_HOSTS); do for tool in iptables ip6tables; do \
	    echo; echo "$$host# $$tool -vL"; $(STOCKADE) lab exec $$host $$tool -vL; \
	done; done
endif

up-all: .venv/ready  ## the same on one disposable host of every family of distributions (docs/distributions.md)
	@$(STOCKADE) lab up web31 --variant debian
	@$(STOCKADE) lab up web32 --variant fedora
	@$(STOCKADE) lab up web33 --variant arch
	@$(STOCKADE) lab up web34 --variant centos7
	@$(STOCKADE) lab up web35 --variant centos6
	@$(STOCKADE) lab up web36 --variant fedora41
	@$(STOCKADE) lab up web37 --variant debian7
	@$(STOCKADE) lab up web38 --variant debian8
	@$(STOCKADE) up --stack every-distribution --yes

test-distributions: .venv/ready  ## every chapter on every family; ONLY=fedora,centos6 takes these alone
	STOCKADE_DISTRIBUTIONS=$(ONLY) .venv/bin/pytest -q tests/lab/families/test_distributions.py

lab: .venv/ready
ifeq ($(STACK),lab)
	@$(STOCKADE) lab up $(LAB_HOSTS)
endif

clean: .venv/ready  ## stop the lab's hosts and forget their state
	@$(STOCKADE) lab down
	rm -rf .state .lab

check: .venv/ready  ## lint, types and unit at once: what to run before each commit; a little over a minute on 2 cores
	@$(MAKE) --no-print-directory -j 3 --output-sync=target lint types unit

PARTS := lint types unit ssh-tests policies engine fleet-tests kernel lab-tests lockout bench-short thousand-short
test: export STOCKADE_HYPOTHESIS = thorough
test: export STOCKADE_SHELLS = all
test: .venv/ready shells  ## everything but the long suites, and a summary at the end; about 45 minutes on 2 cores
	@$(RUN) -m tests.parts $(PARTS)

WITH_SCRIPTS = .ci stockade $(filter-out plugin/,$(wildcard */)) # shfmt finds shell scripts there by their suffix and by their first line
lint: .venv/ready  ## ruff, ShellCheck and shfmt, and forms of sh that are dangerous
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(RUN) -m tests.forms
	.venv/bin/shfmt -d $(WITH_SCRIPTS)
	{ .venv/bin/shfmt -f $(WITH_SCRIPTS); ls local/lab/families/*.sh; } | xargs -P 2 -n 60 .venv/bin/shellcheck --shell=sh

format: .venv/ready  ## rewrite Python and shell as `make lint` wants them
	.venv/bin/ruff check --fix-only -q .
	.venv/bin/ruff format -q .
	.venv/bin/shfmt -w $(WITH_SCRIPTS)

shells: # those that run the hosts' scripts in the fast tests, beside dash and bash
	@[ "$$(id -u)" != 0 ] || command -v busybox >/dev/null || { echo "installing busybox on this machine"; \
	    apt-get update -q >/dev/null; apt-get install -y -q busybox </dev/null >/dev/null; }

types: .venv/ready
	.venv/bin/mypy

WORKERS := $(shell echo $$((($$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) * 3 + 1) / 2)))# some tests wait
unit: .venv/ready  ## tests without hosts, in seconds
	.venv/bin/pytest -q -n $(WORKERS) --dist loadfile tests/unit

ssh-tests: .venv/ready  ## connections, runs and the guard against SSH servers and shells of this machine
	.venv/bin/pytest -q -n auto --dist loadfile tests/ssh

policies: .venv/ready  ## each policy against a good and a bad stack, by the Analyzer protocol
	.venv/bin/pytest -q tests/policies

engine: .venv/ready  ## tests of the embedded engine and of the plugin, against the Pulumi CLI where it is on PATH
	.venv/bin/pytest -q tests/engine tests/plugin

fleet-tests: .venv/ready  ## many stacks at once, by each engine
	.venv/bin/pytest -q -n 2 tests/fleet

kernel-tools: # what tests load and list rules with on this machine
	@[ "$$(id -u)" = 0 ] || exit 0; for tool in ip nsenter nft iptables-nft-restore ip6tables-nft-restore iptables-legacy-restore; do \
	    command -v $$tool >/dev/null || { echo "installing iproute2, iptables and nftables on this machine"; \
	        apt-get update -q >/dev/null; \
	        apt-get install -y -q iproute2 iptables nftables util-linux </dev/null >/dev/null; break; }; \
	done

kernel: .venv/ready kernel-tools  ## the rules' meaning against the kernel, in short
	.venv/bin/pytest -q tests/kernel

lab-tests: .venv/ready kernel-tools  ## tests on real hosts of the lab
	.venv/bin/pytest -q -n 2 --dist loadfile tests/lab --ignore-glob='*/test_lockout*'

test-packaged: .venv/ready kernel-tools  ## the same tests over the package's resources: one room: PACKAGED=tests/lab/firewall; half an hour
	STOCKADE_SHELL=packaged .venv/bin/pytest -q -n 2 --dist loadfile $(PACKAGED) --ignore-glob='*/test_lockout*'

lockout: .venv/ready  ## some of what could lock an administrator out; all of it: test-faults
	$(RUN) -m pytest -q -n 2 --dist worksteal tests/lab/firewall/test_lockout_connections.py tests/lab/firewall/test_lockout.py

test-kernel: .venv/ready kernel-tools  ## the same over 500 random rulesets a question, six minutes
	STOCKADE_KERNEL_RULESETS=500 .venv/bin/pytest -q -s tests/kernel

LANGUAGE :=
test-language: .venv/ready kernel-tools  ## 13,000 generated rules asked of this machine's iptables, both backends and families (docs/firewall.md); minutes
	$(RUN) -m tests.kernel.language $(LANGUAGE)

test-faults: .venv/ready  ## what could lock an administrator out (docs/lockout-tests.md); long: PART="sshd and reboots"
	STOCKADE_FAULTS=all $(RUN) -m pytest -q -p tests.lab.lockout.report -n 4 --dist worksteal $(if $(PART),-k "$(PART)") \
	    tests/lab/firewall/test_lockout_connections.py tests/lab/firewall/test_lockout.py

FAULT_ROUNDS := 50
test-all-or-nothing: .venv/ready kernel-tools  ## a fault at any step of a first run, then destroy: nothing may be left; half an hour
	STOCKADE_FAULT_ROUNDS=$(FAULT_ROUNDS) .venv/bin/pytest -q tests/lab/stacks/test_all_or_nothing.py

ADOPT := all
test-adopt: .venv/ready kernel-tools  ## hosts of every variant, set up in ways of their own, are adopted: nothing changes on them, then hardened and given back; half an hour; ADOPT=ufw,arch
	STOCKADE_ADOPT=$(ADOPT) .venv/bin/pytest -q tests/lab/adopt/test_variants.py tests/lab/adopt/test_harden.py

DEBIAN := debian-11
ROOM := tests/lab
test-debian: .venv/ready kernel-tools  ## the tests on lab hosts, on another release of Debian: make test-debian DEBIAN=debian-sid ROOM=tests/lab/sshd; half an hour
	STOCKADE_DEBIAN=$(DEBIAN) .venv/bin/pytest -q -n 2 --dist loadfile $(ROOM) --ignore-glob='*/test_lockout*'

NEIGHBOUR_ROUNDS := 20
test-neighbours: .venv/ready kernel-tools  ## hostile users on the host, through up, updates, going back and destroy (docs/security.md); half an hour
	STOCKADE_NEIGHBOUR_ROUNDS=$(NEIGHBOUR_ROUNDS) .venv/bin/pytest -q -s tests/lab/users/test_neighbours.py

LIFE := --seeds 1-4
test-life: .venv/ready kernel-tools  ## three hosts through 50 random steps, asked from outside after each run (docs/reliability.md); minutes for each seed and engine
	$(RUN) -m tests.life $(LIFE)

MUTANTS := --sample 40
mutants: .venv/ready  ## wrong lines, one at a time: do the fast tests notice them? an hour; one room: MUTANTS="--sample 20 hosts-sh"
	$(RUN) -m tests.mutants $(MUTANTS)

LIES := 50
test-lies: .venv/ready  ## a host that lies, in every part of every answer (docs/security.md); half an hour
	STOCKADE_LIES=$(LIES) .venv/bin/pytest -q -n auto tests/ssh/test_lies.py

auditors:
	@command -v oscap >/dev/null && command -v nmap >/dev/null && [ -d /usr/share/xml/scap/ssg ] || { \
	    echo "installing openscap-scanner, ssg-debian and nmap on this machine"; apt-get update -q >/dev/null; \
	    apt-get install -y -q --no-install-recommends openscap-scanner ssg-debian nmap </dev/null >/dev/null; }

scores: .venv/ready auditors  ## what four auditors say of a host before and after (docs/hardening-scores.md); minutes
	$(RUN) -m bench.audit.scores --write

lock: .venv/ready  ## pin the dependencies of pyproject.toml anew
	.venv/bin/uv pip compile -q --universal --python-version 3.11 --extra dev --extra command --generate-hashes \
	    --no-emit-index-url --no-header --upgrade pyproject.toml -o requirements.lock
	$(RUN) -m plugin.pinned

docs: .venv/ready  ## write the tables of docs/ that are made from the code
	$(RUN) -m tests.tables

record-state: .venv/ready  ## record a state of this release for later ones (docs/contributing.md); minutes
	$(RUN) -m tests.record_state

schema: .venv/ready  ## write the JSON Schema of the stack configs, and the schema of the package
	$(STOCKADE) schema --file stacks/stockade.schema.json
	$(STOCKADE) schema inventory --file stacks/inventory.schema.json
	$(RUN) -m plugin.schema

BENCH :=
bench: .venv/ready .bench/venv/ready  ## measure Stockade beside other tools, about 20 minutes: make bench BENCH="--hosts 1,8 --publish"
	$(RUN) -m bench $(BENCH)

bench-short: .venv/ready  ## see that the measurements run: one host, raw script and Stockade
	$(RUN) -m bench --hosts 1 --repeats 1 --tools raw,stockade

thousand: .venv/ready .bench/venv/ready  ## what up to 1,000 simulated hosts cost, minutes: make thousand BENCH=--publish
	$(RUN) -m bench.thousand $(BENCH)

thousand-short: .venv/ready  ## see that it runs: 4 hosts in two stacks, from the last recording if there is one
	$(RUN) -m bench.thousand --hosts 4 --shard 2 --tools stockade --reuse

.bench/venv/ready: bench/requirements.lock
	@$(PYTHON) -m venv .bench/venv
	@.bench/venv/bin/pip install -q --disable-pip-version-check --no-compile --no-deps --require-hashes -r bench/requirements.lock
	@touch $@

.venv/ready: requirements.lock
	@.ci/environment $(PYTHON)
