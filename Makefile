# nightcart: see `make help`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.SUFFIXES:
.NOTPARALLEL:

# Every variable given on the command line is taken as it stands: make would otherwise expand it, and so run a
# $(shell ...) in a path. Recipes read parameters from the environment, quoted, so that they may hold any character.
define take-literally
override export $(1) := $$(value $(1))
endef
$(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),\
  $(eval $(call take-literally,$(name)))))

# This checkout's code and its environments' packages, and nobody else's.
export PYTHONPATH := $(CURDIR)
export PYTHONNOUSERSITE := 1
unexport PYTHONHOME VIRTUAL_ENV

override PIPELINE := .venv/bin/python
override AIRFLOW := .venv-airflow/bin/python

# Makes the words of a parameter the shell's own arguments; nothing in them is expanded.
set-words = quoted="$$($(1) -m conf.parameter_words $(2))"; eval "set -- $$quoted"

.PHONY: help setup python java pipeline-environment class-archive airflow-environment duckdb-environment sardine-environment moto-environment nightly worth experiment source check-source plan deliver backfill lineage vacuum forget-source shopper-models accept repair migrate backup restore units review promote reject rollout restore-aliases compare home pictures follow observe control explore monitor serve preview rollback off on pseudonyms loop \
        test test-pipeline test-dags test-faults test-stories check lint \
        reference bench-coverage bench-exploration bench-gate bench-outside bench-inventory bench-jobs bench-kernel bench-monitor bench-ope bench-promotion bench-rollout bench-serve bench-shopper-models bench-train bench-weekly-lists bench-worth up down airflow pins clean

help:  ## this page
	@echo "make TARGET [PARAMETER=value ...]"
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)$$/  \1|\2/p' Makefile | while IFS='|' read -r target text; do \
	  printf '%-16s %s\n' "$$target" "$$text"; done
	@sed -n 's/^#: \?//p' Makefile

#:
#: Parameters of `make nightly`, all optional (paths are relative to this folder); `make worth` takes all but LOGS:
#:   SOURCE=NAME      a file of conf/sources; default: simulated_shop, or canonical where LOGS is given
#:   LOGS=PATH        file or folder of the source's logs; default: those landed before, or the simulated shop's
#:   DATE=2026-01-31  last day to use; default: the last day in the files' names, or landed, or simulated
#:   SCENARIO=NAME    a file of conf/scenarios; default: recommendation
#: Its last line on stdout is one JSON object; progress is on stderr, everything else in .nightcart/logs.
#: (From another folder: `make -s -C FOLDER nightly`, since make -C ends with a line of its own.)
#:
#: Other parameters:
#:   VERSION=3        the version that `make promote` approves, registered for its DATE, or `make reject` rejects: `make review` says what to type
#:   A=3 B=5          the two versions that `make compare` holds against each other
#:   WHO=ann WHY="..."  who decides, and why, for the record of approvals; WHO is you where it is left out
#:   DELIVERY=2026-01-31 REASON="..." WHO=ann LOGS=PATH  the delivery that `make accept` publishes as it is, why, whose word
#:                    it is (default: this user), and the logs to land first where it isn't landed yet
#:   MODEL=NAME       a file of conf/models that `make shopper-models` fits and scores with; default: each
#:   FROM=2026-01-05 TO=2026-01-31   the range that `make plan` and `make backfill` are about, both dates included
#:   FORCE=1 RETRAIN=1            `make backfill` makes all of the range, and trains once afterwards (it promotes nothing)
#:   YES=1 KEEP_DAYS=30           `make vacuum` removes; logs, copies, pins and the history of Delta tables stay so long
#:   OUT=/backups/2026-02-01 FROM=/backups/2026-02-01  folders of `make backup` and `make restore`; FORCE=1 sets aside what is there
#:   OUT=/etc/systemd/system BACKUPS=/var/backups/nightcart WHO=nightcart   of `make units`: where they go, where backups go, who runs them
#:   AS_OF=2026-02-01 the day that `make observe` is for: the one after the last delivery
#:   HOST=127.0.0.1 SERVE_PORT=8090 RULES=rules.yaml DECISIONS=FOLDER   of `make serve`; RULES SHOPPERS=200 of `make preview`
#:   TODAY=2026-03-16 the day that `make serve` takes for today, for a simulated shop, whose days are past
#:   DECISIONS=FOLDER the service's log that `make monitor` compares with, where it isn't in the home
#:   WHY="..." WHO=ann            why `make rollback`, `make off` or `make on`, and whose word it is; default: this user
#:   FILES="a.csv b.csv" OUT=conf/sources/shop.yaml   what `make source` looks at, and where its draft goes (default: stdout)
#:   LINES=5000       how many lines of each feed `make check-source` looks at (default: 1000)
#:   IDS=ids.csv COLUMN=customer OUT=pseudonyms.csv   your own ids, for `make pseudonyms`
#:   PORT=8080 MLFLOW_PORT=5000   ports of the pages of `make up`
#:   ARGS="backfill create ..."   what `make airflow` runs
#:   TESTS=tests/conf             the part of the tests that `make test` runs
#:   KILLS=30 SEED=1  how often, and when, `make test-faults` kills ingest and build
#:   DAYS=1           how many days `make deliver` delivers
#:   DAYS=14 PAST=10 SEED=1       of `make loop`: days (weeks of promotion) with a night, days before, which shop
#:   LAUNCHES=2000 SHOPPERS=120000  launches that `make bench-rollout` simulates of each kind, and shoppers of its shop
#:   NIGHTS=2000      nights that `make bench-gate` judges for each kind of candidate
#:   REPLICATIONS=1000 logs of each kind that `make bench-ope` rests coverage on, or nights of `make bench-exploration`
#:   SIZES=300000 NIGHT_EVENTS=300000  events of the logs of `make bench-jobs`; REPEATS=1 rounds; FORMS=csv,jsonl
#:   CELLS=p4-L2,p9-L3 SHIFTS=0,3,-3 SEEDS=3 METHODS=formulas,hindsight LOGS=path SMALL=1  of `make bench-inventory`
#:   METHODS=night NIGHTS=daily,weekly,shared,shelf,corrected,shipped,packs  its nights of orders on simulated shops; default: all
#:   SEEDS=6-10 SHOPPERS=1000 TRUTH=8000 PARTS=tabular SMALL=1  of `make bench-promotion`: logs, their shoppers, those of truths
#:   SECTIONS=coverage,selection  parts of `make bench-gate`, `make bench-jobs`, `make bench-ope` or `make bench-train`; default: all
#:   SHOPS=9001-9100          default shops that `make bench-gate SECTIONS=flips` trains again
#:   OUT=build/gate            where `make bench-gate` and `make bench-ope` keep what takes long, so that a stopped run goes on
#:   KINDS=learned SEED=1         of the one-step nights of `make bench-gate`: which kinds, by a part of their names, and seeds
#:   RUNS=500 LAUNCHES=1000 SEED=1  of `make bench-monitor`; SECTIONS=quiet,launches,delays,looks,ledger,shared
#:   DEVICE=cuda REPEATS=5        what `make bench-train` runs on, and how many rounds
#:   THREADS=1,8      numbers of threads that its full step is timed with; default: 1 and all cores
#:   PINS=--upgrade   how `make pins` compiles; --upgrade-package NAME renews one
#:   PYTHON=/path/to/python3.11   the interpreter to make the environments with
#:   INSTALL_CHROMIUM=1           install Chromium for `make pictures`, and for the tests that look at pages (Debian, as root)
#:   INSTALL_JAVA=1               install Java 17 where it is missing (Debian, as root)
#: Settings that a deployment decides are NIGHTCART_... environment variables; conf/settings.py lists them.

setup: java pipeline-environment class-archive airflow-environment  ## make both environments (nightly, test and up do it too)

nightly: setup  ## run all DAGs for one date through Airflow: from logs to a registered policy with a verdict
	@exec $(AIRFLOW) -m dags.nights.nightly --source "$${SOURCE:-}" --logs "$${LOGS:-}" --date "$${DATE:-}" \
	  --scenario "$${SCENARIO:-}"

worth: pipeline-environment  ## before any training: whether looking ahead can pay on this log (SOURCE, SCENARIO, DATE), one page
	@exec $(PIPELINE) -m rl worth --source "$${SOURCE:-simulated_shop}" --scenario "$${SCENARIO:-recommendation}" \
	  $${DATE:+--date "$$DATE"}

experiment: pipeline-environment  ## who is moved by what, where propensities are known: policies beside the best action (SOURCE, SCENARIO, DATE), one page
	@exec $(PIPELINE) -m rl experiment --source "$${SOURCE:-hillstrom}" --scenario "$${SCENARIO:-email_experiment}" \
	  $${DATE:+--date "$$DATE"}

# What one model can't learn yet (exit code 99) is no failure.
shopper-models: pipeline-environment  ## who will buy, leave or spend: fit, judge, register, score every shopper (SOURCE, DATE, MODEL; default: each)
	@set -- --source "$${SOURCE:-simulated_shop}" --date "$${DATE:-}" $${MODEL:+--model "$$MODEL"}; \
	  $(PIPELINE) -m rl fit-shopper-models "$$@" || [ $$? = 99 ]; $(PIPELINE) -m rl score-shoppers "$$@" || [ $$? = 99 ]

source: pipeline-environment  ## propose a source from a look at a shop's files, without Spark (FILES, OUT=conf/sources/NAME.yaml)
	@$(call set-words,$(PIPELINE),FILES); exec $(PIPELINE) -m jobs.commands.propose_source $${OUT:+--out "$$OUT"} "$$@"

check-source: pipeline-environment  ## what a thousand lines of a log become, in seconds and without Spark (SOURCE, LOGS, SCENARIO, LINES)
	@exec $(PIPELINE) -m jobs.commands.check_source --source "$${SOURCE:-canonical}" --logs "$${LOGS:-}" \
	  $${SCENARIO:+--scenario "$$SCENARIO"} $${LINES:+--lines "$$LINES"}

plan: pipeline-environment  ## what an ingest and a build would make for a range of dates, and why, in seconds and without Spark (FROM, TO, SOURCE, SCENARIO)
	@exec $(PIPELINE) -m jobs.commands.plan --source "$${SOURCE:-simulated_shop}" --scenario "$${SCENARIO:-recommendation}" \
	  --from "$${FROM:?say which: make plan FROM=2026-03-01 TO=2026-03-15}" --to "$${TO:?say which: make plan FROM=2026-03-01 TO=2026-03-15}"

deliver: setup  ## the next day of a simulated shop, beside the days before; starts its night where `make up` runs (SOURCE, DAYS)
	@exec $(AIRFLOW) -m dags.nights.deliver --source "$${SOURCE:-}" --days "$${DAYS:-}"

# Where there is rightly nothing to learn (exit code 99) the data are made for all that.
backfill: pipeline-environment  ## make what `make plan` names for a range of dates, and nothing else (FROM, TO, SOURCE, SCENARIO; FORCE=1 all of it; RETRAIN=1 then trains once)
	@source="$${SOURCE:-simulated_shop}"; scenario="$${SCENARIO:-recommendation}"; \
	$(PIPELINE) -m jobs.commands.quietly backfill --source "$$source" --scenario "$$scenario" --from "$${FROM:-}" \
	  --to "$${TO:-}" $${FORCE:+--force} $${RETRAIN:+--for-training}; \
	if [ -n "$${RETRAIN:-}" ]; then \
	  $(PIPELINE) -m rl retrain --source "$$source" --scenario "$$scenario" --date "$$TO" || [ $$? = 99 ]; fi

lineage: pipeline-environment  ## tell what was published as OpenLineage events, where that wasn't done yet (NIGHTCART_LINEAGE: a file or a server)
	@exec $(PIPELINE) -m jobs.commands.lineage

vacuum: pipeline-environment  ## what nobody needs any more, disk use and its forecast; YES=1 removes it (KEEP_DAYS)
	@exec $(PIPELINE) -m rl vacuum $${YES:+--yes} --keep-days "$${KEEP_DAYS:-30}"

forget-source: pipeline-environment  ## remove all data of a trial source from the home (SOURCE, YES=1; FORCE=1 despite a champion)
	@exec $(PIPELINE) -m rl forget --source "$${SOURCE:-}" $${YES:+--yes} $${FORCE:+--force}

accept: pipeline-environment  ## publish a delivery as it is, or leave one out that can't be landed (SOURCE, DELIVERY, REASON, WHO; LOGS where it isn't landed yet)
	@exec $(PIPELINE) -m jobs.commands.quietly accept --source "$${SOURCE:-simulated_shop}" --delivery "$${DELIVERY:-}" \
	  --reason "$${REASON:-}" $${WHO:+--who "$$WHO"} $${LOGS:+--logs "$$LOGS"}

repair: pipeline-environment  ## find damaged files of the lake by their sums and make them anew (SOURCE; LOGS where raw files are damaged)
	@exec $(PIPELINE) -m jobs.commands.quietly repair --source "$${SOURCE:-simulated_shop}" $${LOGS:+--logs "$$LOGS"}

migrate: pipeline-environment  ## bring an earlier release's tables, and MLflow's database after a copy, to what this one writes; says so where nothing is to be done
	@$(PIPELINE) -m rl upgrade-registry
	@exec $(PIPELINE) -m jobs.commands.migrate

backup: pipeline-environment  ## copy key, tables, raw files, records, models and databases as one point, beside services that are up (OUT)
	@exec $(PIPELINE) -m rl backup --out "$${OUT:?say where: make backup OUT=/backups/2026-02-01}"

restore: pipeline-environment  ## make the home what a backup holds, once all of it was found whole (FROM; FORCE=1 sets aside what is there)
	@exec $(PIPELINE) -m rl restore --from "$${FROM:?say which: make restore FROM=/backups/2026-02-01}" $${FORCE:+--force}

review: pipeline-environment  ## what waits for a person's answer, one line each; fails where an alias was moved by hand in MLflow (SCENARIO)
	@exec $(PIPELINE) -m rl review $${SCENARIO:+--scenario "$$SCENARIO"}

promote: pipeline-environment  ## approve the version a night registered: it becomes the champion (VERSION, DATE, SOURCE, SCENARIO, WHO, WHY)
	@exec $(PIPELINE) -m rl promote --source "$${SOURCE:-simulated_shop}" --scenario "$${SCENARIO:-recommendation}" \
	  --date "$${DATE:-}" --version "$${VERSION:-}" $${WHO:+--who "$$WHO"} $${WHY:+--why "$$WHY"}

reject: pipeline-environment  ## reject a version for good: it is no challenger, and nothing approves it (VERSION, WHY, SCENARIO, WHO)
	@exec $(PIPELINE) -m rl reject --scenario "$${SCENARIO:-recommendation}" --version "$${VERSION:?say which: make reject VERSION=3}" --why "$${WHY:-}" \
	  $${WHO:+--who "$$WHO"}

compare: pipeline-environment  ## two versions as one page: specs, data, values with a paired interval, where their decisions differ (A, B, SCENARIO)
	@exec $(PIPELINE) -m rl compare --scenario "$${SCENARIO:-recommendation}" --a "$${A:?say which: make compare A=3 B=5}" --b "$${B:?say which: make compare A=3 B=5}"

units: pipeline-environment  ## write systemd's units for this checkout and home, whatever their folders are called (OUT BACKUPS)
	@exec $(PIPELINE) -m conf.systemd_units --out "$${OUT:?say where: make units OUT=/etc/systemd/system}" \
	  --backups "$${BACKUPS:-/var/backups/nightcart}" $${WHO:+--user "$$WHO"}

restore-aliases: pipeline-environment  ## put aliases that somebody moved in MLflow back to where the record of approvals says (SCENARIO)
	@exec $(PIPELINE) -m rl restore-aliases --scenario "$${SCENARIO:-recommendation}"

home: pipeline-environment  ## the home page and a page for each table, without any service: nights, champion, what waits, freshness, seconds, disk
	@exec $(PIPELINE) -m rl home

pictures: pipeline-environment  ## pictures of the home's pages for the docs, by a headless Chromium; fails over one that overflows (INSTALL_CHROMIUM=1; AIRFLOW_PAGES=1 of a waiting approval)
	@if [ "$${INSTALL_CHROMIUM:-0}" = 1 ] && ! command -v chromium >/dev/null; then \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >&2; fi
	@exec $(PIPELINE) -m tests.browser.pictures $${AIRFLOW_PAGES:+--airflow}

follow: pipeline-environment  ## bring a source's tables to what a shared lake's object store says is current (SOURCE; NIGHTCART_LAKE_STORE)
	@exec $(PIPELINE) -m jobs.commands.follow --source "$${SOURCE:-simulated_shop}"

observe: pipeline-environment  ## publish what is known of every shopper as of a day, for serving (SOURCE, SCENARIO, AS_OF)
	@exec $(PIPELINE) -m jobs.main observe --source "$${SOURCE:-simulated_shop}" --scenario "$${SCENARIO:-recommendation}" \
	  --as-of "$${AS_OF:-}"

control: pipeline-environment  ## let a version that decided before decide for the control group; without VERSION the shop's own does (SCENARIO, VERSION, WHY, WHO)
	@exec $(PIPELINE) -m rl control --scenario "$${SCENARIO:-recommendation}" $${VERSION:+--version "$$VERSION"} \
	  --why "$${WHY:-}" $${WHO:+--who "$$WHO"}

explore: pipeline-environment  ## let services follow the exploration plan of a version's review page; without VERSION end it (SCENARIO, VERSION, WHY, WHO)
	@exec $(PIPELINE) -m rl explore --scenario "$${SCENARIO:-recommendation}" $${VERSION:+--version "$$VERSION"} \
	  --why "$${WHY:-}" $${WHO:+--who "$$WHO"}

# Where nothing was served there is nothing to watch (exit code 99), which is no failure.
monitor: pipeline-environment  ## what the champion earned beside what was promised, and whether the shop is what it was, one page (SOURCE, SCENARIO, DATE, DECISIONS)
	@$(PIPELINE) -m rl monitor --source "$${SOURCE:-simulated_shop}" --scenario "$${SCENARIO:-recommendation}" \
	  --date "$${DATE:?say which: make monitor DATE=2026-03-20}" $${DECISIONS:+--decisions "$$DECISIONS"} || [ $$? = 99 ]

serve: pipeline-environment  ## decide in the shop, each decision logged (SOURCE, SCENARIO, HOST, SERVE_PORT, RULES, DECISIONS, TODAY)
	@exec $(PIPELINE) -m rl serve --source "$${SOURCE:-simulated_shop}" --scenario "$${SCENARIO:-recommendation}" \
	  --host "$${HOST:-127.0.0.1}" --port "$${SERVE_PORT:-8090}" $${RULES:+--rules "$$RULES"} \
	  $${DECISIONS:+--decisions "$$DECISIONS"} $${TODAY:+--today "$$TODAY"}

preview: pipeline-environment  ## what a file of rules would change in tomorrow's decisions, before it is in force (RULES, SHOPPERS, SOURCE, SCENARIO)
	@exec $(PIPELINE) -m rl preview --source "$${SOURCE:-simulated_shop}" --scenario "$${SCENARIO:-recommendation}" \
	  --rules "$${RULES:?say which: make preview RULES=rules.yaml}" --shoppers "$${SHOPPERS:-200}"

rollout: pipeline-environment  ## look at the version that is rolled out by stages: it grows, holds or goes back (DATE, SOURCE, SCENARIO, DECISIONS)
	@$(PIPELINE) -m rl rollout --source "$${SOURCE:-simulated_shop}" --scenario "$${SCENARIO:-recommendation}" \
	  --date "$${DATE:?say which: make rollout DATE=2026-03-20}" $${DECISIONS:+--decisions "$$DECISIONS"} || [ $$? = 99 ]

rollback: pipeline-environment  ## make the champion before the present one champion again, or the shop decide after a first one (SCENARIO, WHY, WHO)
	@exec $(PIPELINE) -m rl rollback --scenario "$${SCENARIO:-recommendation}" --why "$${WHY:-}" $${WHO:+--who "$$WHO"}

off: pipeline-environment  ## let services serve the fallback alone (SCENARIO, WHY, WHO)
	@exec $(PIPELINE) -m rl off --scenario "$${SCENARIO:-recommendation}" --why "$${WHY:-}" $${WHO:+--who "$$WHO"}

on: pipeline-environment  ## let services serve the champion again (SCENARIO, WHY, WHO)
	@exec $(PIPELINE) -m rl on --scenario "$${SCENARIO:-recommendation}" --why "$${WHY:-}" $${WHO:+--who "$$WHO"}

# Airflow's tests mostly wait for its scheduler, so they run beside the others; what they say is shown afterwards.
pseudonyms: pipeline-environment  ## what your own ids are called in lists and tables, as a CSV file to join them by (IDS, COLUMN, OUT, SOURCE)
	@exec $(PIPELINE) -m rl pseudonyms --ids "$${IDS:?say which: make pseudonyms IDS=ids.csv COLUMN=customer OUT=pseudonyms.csv}" \
	  --out "$${OUT:?say where: make pseudonyms IDS=ids.csv COLUMN=customer OUT=pseudonyms.csv}" $${COLUMN:+--column "$$COLUMN"} $${SOURCE:+--source "$$SOURCE"}

loop: pipeline-environment  ## days and nights of a simulated shop whose service serves what its nights promote; one picture (SCENARIO, DAYS, PAST, SEED)
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) -m rl loop --scenario "$${SCENARIO:-recommendation}" \
	  --days "$${DAYS:-14}" $${PAST:+--past "$$PAST"} --seed "$${SEED:-1}"

test: setup  ## run every test, in both environments
	@log=$$(mktemp); trap 'rm -f "$$log"' EXIT; $(MAKE) --no-print-directory test-dags > "$$log" 2>&1 & dags=$$!; \
	  status=0; $(MAKE) --no-print-directory test-pipeline || status=1; \
	  wait $$dags || status=1; cat "$$log"; exit $$status

# One thread for each of the two test processes: libraries that start one per core would get in each other's way.
test-pipeline: setup moto-environment
	@$(call set-words,$(PIPELINE),TESTS); \
	case "$${TESTS:-}" in tests/dags*) ;; *) OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" NIGHTCART_TEST_MOTO="$$PWD/build/moto/bin/python" \
	  $(PIPELINE) -m pytest -n 2 --dist loadgroup --no-loadscope-reorder --ignore=tests/dags "$$@";; esac

test-dags: setup
	@export TESTS="$${TESTS:-tests/dags}"; $(call set-words,$(AIRFLOW),TESTS); \
	case "$$TESTS" in tests/dags*) $(AIRFLOW) -m pytest --confcutdir=tests/dags "$$@";; esac

# Killed as whole process groups at random moments, on full and read-only disks, side by side; some twenty minutes.
test-faults: setup moto-environment  ## what becomes of ingest and build under faults; KILLS=30 SEED=1
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" NIGHTCART_TEST_FAULT_KILLS="$${KILLS:-30}" NIGHTCART_TEST_MOTO="$$PWD/build/moto/bin/python" \
	  NIGHTCART_TEST_FAULT_SEED="$${SEED:-1}" $(PIPELINE) -m pytest tests/faults tests/shared_lake/test_race.py --timeout 3600

# Five nights of a small shop, with Airflow and MLflow on databases of their own; and a night of the loop through Airflow.
test-stories: setup  ## what people do with a version, on PostgreSQL: reject, forget, approve, approve too late, move an alias by hand (NIGHTCART_TEST_POSTGRES)
	@: "$${NIGHTCART_TEST_POSTGRES:?name a server: NIGHTCART_TEST_POSTGRES=postgresql://postgres@127.0.0.1:5432/test}"; \
	  NIGHTCART_TEST_STORIES=1 $(AIRFLOW) -m pytest --confcutdir=tests/dags -s -v tests/dags/test_stories.py tests/dags/test_loop_night.py

check: setup  ## lint, format, types and import contracts
	@$(PIPELINE) -m ruff check .
	@$(PIPELINE) -m ruff format --check --quiet . || { echo "not formatted: run .venv/bin/ruff format ." >&2; exit 1; }
	@$(PIPELINE) -m mypy --strict conf jobs rl tests --exclude '^tests/(dags|golden)/'
	@$(PIPELINE) -m mypy --strict --python-executable $(AIRFLOW) dags
	@.venv/bin/lint-imports

lint: check  ## the same as check

reference: pipeline-environment  ## write docs/reference-*.md and docs/tables.md from the models and tables in conf
	@$(PIPELINE) -m conf.spec_reference && $(PIPELINE) -m conf.table_reference

bench-coverage: setup  ## how often intervals hold the true value, over 20 logs of a simulated shop
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) tests/bench/bench_coverage.py

bench-gate: setup  ## how often the gate promotes candidates of known value, and an oracle; NIGHTS=2000 of each kind
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) tests/bench/bench_gate.py

bench-exploration: pipeline-environment  ## nights to a verdict under exploration plans, and uniformly at equal cost; REPLICATIONS=100 of each kind
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) tests/bench/bench_exploration.py

bench-ope: setup  ## bias, error and coverage of estimates against known values, selection, peers, memory; REPLICATIONS, SECTIONS
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) tests/bench/bench_ope.py

bench-train: setup  ## sampling, full steps, building the data set, FQE and catalogue size against stock d3rlpy; DEVICE, REPEATS, SECTIONS, THREADS
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) tests/bench/bench_train.py

bench-kernel: setup  ## how many rows a second each function of the kernel takes; ROWS=1000000
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) tests/bench/bench_kernel.py

bench-monitor: setup  ## false alarms over two quiet years, delays of detection, looks every day, and the ledger of launches; RUNS=500 LAUNCHES=1000 SEED=1
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) -m tests.bench.bench_monitor

bench-serve: setup  ## decisions a second beside `mlflow models serve`, also on an earlier release's model, kills under load, served days judged; SECTIONS=throughput,earlier_model,kills,on_policy, SECONDS_EACH=10, KILLS=20, SEEDS=5
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) -m tests.bench.serve.bench_serve

bench-jobs: setup duckdb-environment  ## what raw lines cost on their way to transitions, against DuckDB; SIZES, FORMS, SECTIONS=chain,marginal,heavy,night, REPEATS, NIGHT_EVENTS
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" NIGHTCART_DUCKDB_PYTHON=build/duckdb/bin/python $(PIPELINE) -m tests.bench.bench_jobs

bench-outside: setup sardine-environment  ## nights of a shop that others simulate: SARDINE's shoppers, a thousand items scored by their attributes; SEEDS=1-5, SESSIONS=3000, TRUTH=2000, OUT=build/outside
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" NIGHTCART_SARDINE_PYTHON=build/sardine/bin/python $(PIPELINE) -m tests.bench.bench_outside

bench-inventory: setup  ## how far above the least cost each way to order lands, on the test bed of lost sales, and what it earns on nights of simulated shops; CELLS, SHIFTS, SEEDS, METHODS, NIGHTS, LOGS, SMALL
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) -m tests.bench.bench_inventory

bench-promotion: setup  ## what nights of weekly offers say against the truth, and what their policies earn beside peers at equal spend; SEEDS=6-10, SHOPPERS, TRUTH, PARTS=shop,tabular,temperatures, SMALL
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) -m tests.bench.bench_promotion

bench-shopper-models: setup  ## how well models of shoppers know simulated shoppers of a known law; SEEDS=11-15, KINDS=purchases,sessions, SMALL
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) -m tests.bench.bench_shopper_models

bench-weekly-lists: setup  ## whether weekly lists keep their budgets over fifty weeks, and what the price of money costs; SEEDS=5, TRUTHS=4
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) -m tests.bench.bench_weekly_lists

bench-rollout: setup  ## how often rollouts of known gain grow, finish and go back, over simulated launches; LAUNCHES=2000, SHOPPERS, SEED
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) -m tests.bench.rollout.bench_rollout

bench-worth: setup  ## whether `make worth` says the right thing of simulated shops, over 5 logs of each kind
	@OMP_NUM_THREADS="$${OMP_NUM_THREADS:-1}" $(PIPELINE) tests/bench/bench_worth.py

up: setup  ## start Airflow (page, scheduler, DAG processor, triggerer) and the MLflow page
	@exec $(AIRFLOW) -m dags.deployment.services up --port "$${PORT:-8080}" --mlflow-port "$${MLFLOW_PORT:-5000}"

down: airflow-environment  ## stop what `make up` started
	@exec $(AIRFLOW) -m dags.deployment.services down

airflow: setup  ## run an Airflow command with this project's settings, such as ARGS="dags list"
	@export ARGS="$${ARGS:-version}"; $(call set-words,$(AIRFLOW),ARGS); \
	exec $(AIRFLOW) -m dags.deployment.airflow_environment airflow "$$@"

# A pin that still fits is kept; torch's local version, which tells CPU from CUDA, is the machine's matter.
define compile-pins
	@build/pins/bin/pip-compile --quiet $(2) --strip-extras --no-header --no-annotate --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links $${PINS:-} --output-file $(1) pyproject.toml
	@sed -i -e '/^#/d' -e '/^$$/d' -e 's/+[a-z0-9.]*$$//' $(1)
endef

pins: python  ## compile both requirement files from pyproject.toml; PINS=--upgrade renews what may be renewed
	@"$$($(find-python))" -m venv build/pins && build/pins/bin/python -m pip install -qq --disable-pip-version-check pip-tools==7.6.2
	$(call compile-pins,requirements.txt,--extra pipeline --extra serving --extra tests --extra checks)
	$(call compile-pins,requirements-airflow.txt,--extra airflow --extra tests)

clean:  ## leave the checkout as cloned: remove environments, caches and .nightcart with ALL its data
	@if [ -x $(AIRFLOW) ] && [ -f .nightcart/airflow/services.json ]; then $(AIRFLOW) -m dags.deployment.services down; fi
	@rm -rf .venv .venv-airflow .nightcart build .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache spark-warehouse metastore_db derby.log
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is whole if the list of what it was made from and where stands in it; that is written last.
# One process at a time makes it, and a half-made one is made anew.
define make-environment
	@made_from() { printf '%s\n' "$$PWD"; cat $(2); }; \
	if ! made_from | cmp -s - $(1)/made-from.txt; then \
	  $(MAKE) --no-print-directory python; \
	  exec 9<Makefile; if command -v flock >/dev/null; then flock 9; fi; \
	  if ! made_from | cmp -s - $(1)/made-from.txt; then \
	    echo "making $(1) from $(2): minutes, once" >&2; \
	    rm -rf $(1); "$$($(find-python))" -m venv $(1) 9<&-; \
	    $(1)/bin/python -m pip install -qq --disable-pip-version-check --no-input -r $(2) >&2 9<&-; \
	    $(1)/bin/python -m pip check --disable-pip-version-check >&2; \
	    made_from > $(1)/made-from.txt; \
	  fi; \
	fi
endef

pipeline-environment:
	$(call make-environment,.venv,requirements.txt)

airflow-environment:
	$(call make-environment,.venv-airflow,requirements-airflow.txt)

# Spark's classes as Java has them in memory, so that its jobs start in less time.
class-archive: pipeline-environment
	@if [ ! -e .venv/spark-classes.jsa ]; then $(PIPELINE) -m jobs.spark.class_archive; fi

# What `make bench-jobs` compares with; nothing else needs it.
duckdb-environment:
	@mkdir -p build
	$(call make-environment,build/duckdb,tests/bench/jobs/requirements-duckdb.txt)

# moto, whose S3 the tests of a shared lake use; it runs as a server of its own.
moto-environment:
	@mkdir -p build
	$(call make-environment,build/moto,tests/shared_lake/requirements-moto.txt)

# The shop that `make bench-outside` learns from; nothing else needs it.
sardine-environment:
	@mkdir -p build
	$(call make-environment,build/sardine,tests/bench/outside/requirements-sardine.txt)

# The first Python 3.11 among PYTHON (alone, where given), python3.11 and python3.
define find-python
if [ -n "$${PYTHON:-}" ]; then set -- "$$PYTHON"; else set -- python3.11 python3; fi; for candidate do \
  if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; \
  then echo "$$candidate"; break; fi; done
endef

python:
	@if [ -z "$$($(find-python))" ]; then \
	  echo "error: nightcart needs Python 3.11 with venv (found: $$("$${PYTHON:-python3}" --version 2>&1 | head -1));" \
	    "install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; fi

java:
	@java="$${JAVA_HOME:+$$JAVA_HOME/bin/}java"; \
	version() { { "$$java" -version 2>&1 || true; } | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -1; }; \
	found="$$(version)"; \
	if [ "$${found:-0}" -lt 17 ] && [ "$${INSTALL_JAVA:-0}" = 1 ]; then \
	  if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo "error: INSTALL_JAVA=1 needs root and apt-get (Debian); install Java 17 or later yourself" >&2; exit 1; fi; \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless; } >&2; \
	  found="$$(version)"; \
	fi; \
	if [ "$${found:-0}" -lt 17 ]; then \
	  echo "error: Spark needs Java 17 or later (found: $${found:-none}); install openjdk-17-jre-headless, point" \
	    "JAVA_HOME at one, or run: make INSTALL_JAVA=1 setup (Debian, as root)" >&2; exit 1; fi
