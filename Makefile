# `make repro` is the whole product; `make help` lists the rest.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON ?= python3
# The stages are started as `python`; nobody is told what this project does on their machine. What make
# itself starts is named by its path, since a Mac's make does not look for it in this PATH.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# DVC asks for the user's name, which a container may not know.
export USER ?= $(shell id -un 2>/dev/null)
export DVC_NO_ANALYTICS := true
export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
# Images of containers like to set it; then each of the eight stages would compile anew all that it
# imports, for up to seven seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

CHECK = import sys; (3, 11) <= sys.version_info < (3, 15) or sys.exit("make: $(PYTHON); got Python %d.%d; \
	expected 3.11 to 3.14; name one as PYTHON=python3.12, or install uv" % sys.version_info[:2])

.PHONY: env
env: $(READY)  ## build the environment in .venv from requirements.lock

# uv comes from the PATH, else it is installed into the environment that it then fills. The package is
# linked there for its command `s2igan`; the stages run from this folder.
$(READY): requirements.lock pyproject.toml
	@rm -f $@
	@command -v uv >/dev/null || { $(PYTHON) -c '$(CHECK)' && $(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }
	@test -x $(BIN)/python || uv venv --quiet --python '>=3.11,<3.15' $(VENV)
	VIRTUAL_ENV="$$PWD/$(VENV)" uv pip install --quiet --require-hashes -r requirements.lock
	VIRTUAL_ENV="$$PWD/$(VENV)" uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Where the pictures come out as those did that the committed figures were taken of, DVC leaves evaluate
# out, since Git brought its outputs, and MLflow would show no figures.
COSTS := .s2igan/costs.jsonl

.PHONY: repro
repro: $(READY)  ## run the pipeline of params.yaml, then show its figures
	$(BIN)/dvc repro
	@! grep -qs '"stage": "sample"' $(COSTS) || grep -q '"stage": "evaluate"' $(COSTS) || \
		$(BIN)/dvc repro --single-item --force evaluate
	@$(BIN)/python -m s2igan.cli report
	@echo
	@echo 'pictures:  plots/samples_grid.png  plots/swap_grid.png  plots/training_grid.png'
	@echo 'runs:      make ui, then open the address that it names'

# The option of a variable that is given; an empty one, as of `MODEL=$$MODEL`, is for the command to refuse.
option = $(if $(filter-out undefined,$(origin $(2))),--$(1) "$($(2))")

# The list of variants. WITH=dvc or WITH=plain chooses what runs them, else DVC does where it can;
# JOBS=2 runs two at a time.
TABLE ?= minibirds

.PHONY: table
table: $(READY)  ## run the variants of presets/tables/<TABLE>.yaml and compare them
	$(BIN)/python -m s2igan.cli table presets/tables/$(TABLE).yaml $(call option,with,WITH) $(call option,jobs,JOBS)

# The alias `champion` moves if METRIC is better, all else being equal.
.PHONY: register
register: $(READY)  ## register the trained model with MLflow: [METRIC=generation/...]
	@$(BIN)/python -m s2igan.cli register $(call option,metric,METRIC) $(call option,model,MODEL)

# Address and endpoint are for everybody and go into Git. What the clone itself says of this remote is
# removed: it would hide them, and without an address DVC refuses it at every commit that has no remote.
# Keys are taken from where AWS's tools take theirs. What arrives is verified: DVC by itself trusts a
# download that was cut short.
.PHONY: remote
remote: $(READY)  ## name the team's remote: URL=s3://bucket/folder [ENDPOINT=https://...]
	@test -n "$(URL)" || { echo 'make remote URL=s3://bucket/folder [ENDPOINT=https://...]'; exit 2; }
	@$(BIN)/dvc remote remove --quiet --local team || true
	$(BIN)/dvc remote add --quiet --default --force team "$(URL)"
	$(BIN)/dvc remote modify --quiet team verify true
	$(if $(ENDPOINT),$(BIN)/dvc remote modify --quiet team endpointurl "$(ENDPOINT)")

.PHONY: push
push: $(READY)  ## upload the outputs and the run cache to the remote
	@$(BIN)/python -m s2igan.cli push

.PHONY: pull
pull: $(READY)  ## download the run cache and the outputs of dvc.lock
	@$(BIN)/python -m s2igan.cli pull

# One process a core; one that is done takes tests from another.
.PHONY: test
test: $(READY)  ## run the tests
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist worksteal

.PHONY: check
check: $(READY)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy s2igan stages tests docs $(wildcard bench/*.py)

.PHONY: deps
deps: $(READY)  ## write the source files among the deps of dvc.yaml
	$(BIN)/python -m tests.pipeline.dependencies

.PHONY: ui
ui: $(READY)  ## open the runs in the MLflow UI
	@case "$$MLFLOW_TRACKING_URI" in \
		http://* | https://*) echo "open $$MLFLOW_TRACKING_URI" ;; \
		*) $(BIN)/mlflow ui --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///$$PWD/mlflow.db}" ;; \
	esac

.PHONY: docs
docs: $(READY)  ## build the documentation as a site in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

.PHONY: clean
clean:  ## remove the environment and what tools left; outputs and runs stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache dvc_plots site
	find s2igan stages tests bench -name __pycache__ -type d -prune -exec rm -rf {} +
