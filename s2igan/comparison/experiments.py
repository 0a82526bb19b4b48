"""Runs variants as experiments of DVC: queued under readable names, read from their commits."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import yaml
from pydantic import ValidationError

from s2igan.comparison.outcome import Failure, Outcome
from s2igan.comparison.pipeline import read_pipeline
from s2igan.comparison.plain import environment_of_jobs, say
from s2igan.comparison.variants import Variant
from s2igan.config import Params
from s2igan.engine.closure import import_closure
from s2igan.engine.showcase import dotted
from s2igan.engine.strict_yaml import parse_yaml, read_yaml
from s2igan.errors import UserError

Experiments = list[tuple[str, str]]

_STATES = ("Queued", "Running", "Success", "Failed")


@dataclass(frozen=True)
class Task:
    """One line of ``dvc queue status``."""

    revision: str
    name: str
    state: str


@dataclass(frozen=True)
class ExperimentRunner:
    """Runs variants through DVC's queue; one that is stopped goes on when it is called again.

    Args:
        root: the repository's folder.
        jobs: experiments that run at the same time.
        poll_s: seconds between two looks at the experiments.
        queue_every: looks between two questions to DVC itself, which take it a second or two.
    """

    root: Path
    jobs: int = 1
    poll_s: float = 2.0
    queue_every: int = 10

    def find(self, variants: Sequence[Variant]) -> list[Outcome | Failure]:
        """Return the experiments that have the variants' parameters, today's code and inputs."""
        known = self._experiments()
        return [self._outcome(variant, known) for variant in variants]

    def run(self, variants: Sequence[Variant]) -> list[Outcome | Failure]:
        """Queue the variants that have no such experiment, and wait for the queue."""
        known = self._experiments()
        missing = [v for v in variants if isinstance(self._outcome(v, known), Failure)]
        failed: dict[str, str] = {}
        if missing:
            waiting = self._queue(missing, known)
            try:
                failed = self._wait(waiting)
            except (KeyboardInterrupt, SystemExit):
                say("the queue goes on by itself; `dvc queue stop --kill` ends it")
                raise
        results = self.find(variants)
        return [
            Failure(result.variant, failed.get(result.variant.name, result.reason))
            if isinstance(result, Failure)
            else result
            for result in results
        ]

    def _outcome(self, variant: Variant, known: Experiments) -> Outcome | Failure:
        for name, revision in known:
            if _is_name_of(name, variant) and self._matches(revision, variant):
                return Outcome(variant, partial(self._file, revision))
        return Failure(variant, "no experiment has these parameters, code and inputs")

    def _file(self, revision: str, path: str) -> bytes | None:
        # The repository may be a folder of a larger one, whose paths begin elsewhere.
        done = self._git("show", f"{revision}:./{path}")
        return None if done.returncode else done.stdout

    def _experiments(self) -> Experiments:
        """Return name and commit of all experiments; after a commit a name may occur again."""
        listed = self._git(
            "for-each-ref", "--sort=committerdate", "--format=%(refname) %(objectname)", "refs/exps"
        )
        pairs = [line.split() for line in listed.stdout.decode().splitlines()]
        # refs/exps/<2 digits>/<38 digits of the commit it began at>/<name>
        return [(ref.split("/")[4], rev) for ref, rev in pairs if ref.count("/") == 4]

    def _matches(self, revision: str, variant: Variant) -> bool:
        text = self._file(revision, "params.yaml")
        try:
            params = Params.model_validate(parse_yaml((text or b"").decode()))
        except (ValidationError, yaml.YAMLError):
            return False
        return params == variant.params and self._same_files(revision)

    def _same_files(self, revision: str) -> bool:
        stages = read_pipeline(self.root / "dvc.yaml")
        files = {
            path.as_posix()
            for stage in stages
            for path in import_closure(f"stages.{stage.name}", self.root)
        }
        given = {
            path
            for stage in stages
            for path in stage.data
            if not any(other.writes(path) for other in stages)
        }
        paths = ["dvc.yaml", *sorted(files | given)]
        return self._git("diff", "--quiet", revision, "--", *paths).returncode == 0

    def _queue(self, variants: list[Variant], known: Experiments) -> dict[str, Variant]:
        """Return the variants by the name of the experiment that each now waits for."""
        tasks, working = self._tasks()
        unfailed = (task.name for task in tasks if task.state != "Failed")
        taken = {*(name for name, _ in known), *unfailed}
        alive = ("Queued", "Running") if working else ("Queued",)
        waiting: dict[str, Variant] = {}
        for variant in variants:
            queued = [t for t in tasks if t.state in alive and _is_name_of(t.name, variant)]
            found = next((t.name for t in queued if self._matches(t.revision, variant)), None)
            if found is None:
                found = _free_name(variant.name, taken)
                taken.add(found)
                say(f"queueing {found}")
                changes = [f"--set-param={change}" for change in self._changes(variant)]
                self._dvc("exp", "run", "--queue", "--name", found, *changes)
            waiting[found] = variant
        return waiting

    def _changes(self, variant: Variant) -> list[str]:
        """Return what ``-S`` must say to make the workspace's parameters those of a variant."""
        present = read_yaml(self.root / "params.yaml")
        now = dict(dotted(present)) if isinstance(present, dict) else {}
        wanted = {**dict(dotted(variant.values)), **dict(dotted(variant.given))}
        # Keys of tts.programs are the user's own, so there may be others than the variant's.
        gone = [f"~{key}" for key in now if key not in wanted]
        new = [f"+{key}={override(wanted[key])}" for key in wanted if key not in now]
        other = [key for key in wanted if key in now and now[key] != wanted[key]]
        return [*gone, *new, *(f"{key}={override(wanted[key])}" for key in other)]

    def _wait(self, waiting: dict[str, Variant]) -> dict[str, str]:
        """Wait until every name is an experiment or has failed; return reasons by variant."""
        failed: dict[str, str] = {}
        looks, idle = 0, 0
        before = {task.revision for task in self._tasks()[0] if task.state == "Failed"}
        self._dvc("queue", "start", "--jobs", str(self.jobs))
        say("`dvc queue logs <name>` shows what one of them says")
        open_names = {*waiting}
        while open_names := self._still_open(open_names, failed):
            time.sleep(self.poll_s)
            looks += 1
            if looks % self.queue_every:
                continue
            tasks, working = self._tasks()
            fresh = [task for task in tasks if task.name in open_names]
            for task in fresh:
                if task.state == "Failed" and task.revision not in before:
                    failed[task.name] = self._reason(task.revision)
            idle = 0 if working else idle + 1
            if idle == 2 and any(task.state == "Queued" for task in fresh):
                self._dvc("queue", "start", "--jobs", str(self.jobs))
            elif idle > 5:  # Their worker is gone, and starting another did not help.
                failed |= dict.fromkeys(open_names - failed.keys(), "DVC's worker ended")
        return {waiting[name].name: reason for name, reason in failed.items()}

    def _still_open(self, names: set[str], failed: dict[str, str]) -> set[str]:
        """Return which of the names are no experiment yet, having said which others came to be."""
        left = names - {name for name, _ in self._experiments()} - failed.keys()
        for name in sorted(names - left):
            said = f"{name} failed: {failed[name]}" if name in failed else f"{name} is done"
            say(f"{said}; {len(left)} to go")
        return left

    def _reason(self, revision: str) -> str:
        text = self._dvc("queue", "logs", revision, check=False)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        # DVC's own last line tells which command failed; the stage's stands before it.
        told = [line for line in lines if not line.startswith(("ERROR: failed to reproduce", "'"))]
        return (told or lines or ["failed without a word"])[-1]

    def _tasks(self) -> tuple[list[Task], bool]:
        """Return the queue and whether a worker is at work on it."""
        text = self._dvc("queue", "status")
        rows = [line.split() for line in text.splitlines()]
        tasks = [Task(r[0], r[1], r[-1]) for r in rows if len(r) >= 3 and r[-1] in _STATES]
        workers = re.search(r"(\d+) active, (\d+) idle", text)
        return tasks, workers is None or any(int(number) for number in workers.groups())

    def _dvc(self, *arguments: str, check: bool = True) -> str:
        folder = Path(sys.executable).parent
        path = os.pathsep.join([str(folder), os.environ.get("PATH", "")])
        # The worker that `dvc queue start` leaves would keep a pipe open until its queue is empty.
        with TemporaryFile("w+") as out, TemporaryFile("w+") as told:
            code = subprocess.run(
                [sys.executable, "-m", "dvc", *arguments],
                cwd=self.root,
                env=environment_of_jobs(self.jobs) | {"PATH": path, "DVC_NO_ANALYTICS": "true"},
                stdout=out,
                stderr=told,
                check=False,
            ).returncode
            out.seek(0)
            told.seek(0)
            said, errors = out.read(), told.read()
        if check and code:
            lines = [line for line in errors.splitlines() if line.strip()] or ["no word"]
            # Behind an error that it did not expect DVC says where to ask for help.
            own = [line for line in lines if line.startswith("ERROR: ")] or lines
            raise UserError(f"dvc {' '.join(arguments[:3])}", got=own[-1])
        return said + errors

    def _git(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        command = ["git", *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, check=False)


def override(value: Any) -> str:
    """Write a value as ``-S`` reads it (Hydra's grammar): strings quoted, lists in brackets."""
    if isinstance(value, list):
        return f"[{','.join(override(item) for item in value)}]"
    if not isinstance(value, str):
        return json.dumps(value)
    # A backslash is one of the string's own unless a quote or an interpolation comes after it.
    doubled = re.sub(r'\\+(?="|\$\{|\Z)', r"\g<0>\g<0>", value)
    return '"' + doubled.replace('"', '\\"').replace("${", "\\${") + '"'


def _is_name_of(name: str, variant: Variant) -> bool:
    rest = name.removeprefix(variant.name)
    return rest == "" or (rest != name and rest[:1] == "-" and rest[1:].isdigit())


def _free_name(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
