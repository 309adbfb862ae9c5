# make demo       set up .venv and run the embedded benchmark, from rendering to tables, figures, video
# make setup      set up .venv only
# make test       set up .venv with the test tools and run every test
# make test-slurm run the demo's workflow on a SLURM of this machine alone (Debian's packages; root or sudo)
# make rehearsal  run the whole study `paper` on miniature copies of every data set (docs/paper_run.md)
# make docs       build the documentation as a site, in site/
# make models     train the models in the box anew and put them into the package (docs/models.md)
# make results    write the tables and figures of a study into README and docs: make results STUDY=demo_full
# make reference  write the reference page of all settings and the schema for editors
# make lint       ruff, import-linter, mypy, snakefmt, snakemake --lint
# make lock       write requirements*.lock from pyproject.toml

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The processes of one job must not fight over cores; torch's threads are set per job.
export OMP_NUM_THREADS ?= 1
export MPLBACKEND := agg
# Of `make results`.
STUDY ?= demo_full
# Of `make models`: the models in the box, and those with which they are compared.
TRAINED := results/checkpoints
MODELS := $(TRAINED)/synthetic/panoptic/joint/seed0.safetensors \
  $(TRAINED)/camvid/semantic/joint/seed0.safetensors $(TRAINED)/synthetic/colorization/joint/seed0.safetensors \
  $(TRAINED)/camvid/semantic/main_task/seed0.safetensors
RESULTS ?= results
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: demo models setup test test-slurm rehearsal docs results reference lint lock clean

demo: $(VENV)/.run
	$(BIN)/snakemake --cores all --config study=demo
	$(BIN)/snakemake --cores 1 --config study=demo --report results/report_demo.html >/dev/null
	@cat results/tables/demo/table1.md
	@echo
	@echo "models:  predictions are those of models in the box (videottt list checkpoints); joint training ran"
	@echo "         for 10 iterations, to show the stage: results/checkpoints/synthetic/panoptic/joint_demonstration/"
	@echo "tables:  results/tables/demo/ (table1, table4, ablations, cost: .md, .csv, .tex; conventions, classes)"
	@echo "figures: results/figures/demo/ (bars, figure 2, curves), results/figures/synthetic*/ (figures 3, 7, 8)"
	@echo "videos:  results/videos/synthetic/semantic/seed0/short_0.mp4, results/videos/synthetic_coco/panoptic/seed0/short_0.mp4,"
	@echo "         colourised: results/videos/synthetic_coco/colorization/seed0/short_0.mp4; scores: results/tables/demo/table3.md"
	@echo "report:  results/report_demo.html"

setup: $(VENV)/.run

models: $(VENV)/.run
	$(BIN)/snakemake --cores all --config study=models device=cpu -- $(MODELS)
	$(BIN)/python -m videottt.study.shipped_models

test: $(VENV)/.test
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-slurm: $(VENV)/.test
	command -v slurmctld slurmd munged >/dev/null || $(SUDO) tests/slurm/cluster.sh install
	$(SUDO) env PATH="$$PATH" VIDEOTTT_SLURM_TESTS=1 $(BIN)/python -m pytest tests/slurm --durations 5

rehearsal: $(VENV)/.test
	VIDEOTTT_SLOW=1 $(BIN)/python -m pytest tests/workflow/test_rehearsal.py -s

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

results: $(VENV)/.run
	$(BIN)/python -m videottt.study.included --study $(STUDY) --results $(RESULTS)

reference: $(VENV)/.run
	$(BIN)/python -m videottt.study.reference

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/snakefmt --check workflow/Snakefile rules
	$(BIN)/snakemake --lint

$(VENV)/.run: requirements.lock requirements-no-deps.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "videottt needs Python 3.11 or newer; name one with: make demo PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  -r requirements-no-deps.lock --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements-test.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.lock
	@touch $@

$(VENV)/.docs: $(VENV)/.run requirements-docs.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.lock
	@touch $@

# All that is installed, but for torch's CUDA libraries, which other platforms lack.
FREEZE = .venv-lock/bin/pip freeze --exclude videottt | grep -v -i -E '^(nvidia-(cu|n)|cuda-|triton)'

lock:
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet '.[all]'
	@$(FREEZE) > .venv-lock/run
	@for extra in test docs; do \
	  .venv-lock/bin/python -m pip install --quiet ".[$$extra]" && \
	  $(FREEZE) | grep -v -x -F -f .venv-lock/run > .venv-lock/$$extra && \
	  .venv-lock/bin/python -m pip uninstall --quiet --yes -r .venv-lock/$$extra && \
	  { sed -n '/^#/p' requirements-$$extra.lock; echo '-r requirements.lock'; cat .venv-lock/$$extra; } \
	    > .venv-lock/lock && mv .venv-lock/lock requirements-$$extra.lock || exit 1; \
	done
	@{ sed -n '/^#/p' requirements.lock; cat .venv-lock/run; } > .venv-lock/lock
	mv .venv-lock/lock requirements.lock
	rm -rf .venv-lock

clean:
	rm -rf .venv .snakemake site results/[!R]*
