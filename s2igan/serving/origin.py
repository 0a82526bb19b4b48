"""Where a folder ``artifacts/rdg`` comes from: the pipeline around it tells what a card holds."""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2igan.errors import UserError

SECTIONS = ("corpus", "tts", "features", "sen", "rdg")
"""Sections of the parameters that made the model what it is."""

OWN_LICENCE = "Apache-2.0"
"""What this software and everything that it draws itself stand under."""

_FIGURES = {"retrieval": "embed", "generation": "evaluate"}  # files of metrics/ by their stages


def pipeline_root(rdg: Path) -> Path | None:
    """Return the folder of the pipeline whose ``artifacts/rdg`` this is, or links to, if it is one.

    The outputs of a pipeline may themselves be links to another disk.
    """
    for path in (rdg.absolute(), rdg.resolve()):
        root = path.parent.parent
        if path == root / "artifacts" / "rdg" and (root / "params.yaml").is_file():
            return root
    return None


def pipeline_card(root: Path) -> dict[str, Any]:
    """Tell what the model in ``artifacts/rdg`` was trained on, and its figures.

    Parameters are those of ``dvc.lock`` where there is one, since ``params.yaml`` may have been
    edited after the training; figures are left out where they belong to another training, or to an
    encoder that the model does not have. Where ``dvc.lock`` is about another model, as after ``git
    pull``, that is said on stderr, and neither is taken from it.

    Returns:
        A card, see :mod:`s2igan.serving.card`.

    Raises:
        UserError: if a file is broken, or PyYAML is missing.
    """
    lock = _yaml(root / "dvc.lock").get("stages", {})
    is_recorded = _is_recorded(root / "artifacts" / "rdg", lock)
    if not is_recorded:
        sys.stderr.write(
            f"model {str(root / 'artifacts' / 'rdg')!r} is not that of dvc.lock: parameters are "
            "those of params.yaml, and figures are left out, until `dvc repro` has run\n"
        )
    parameters = _parameters(_yaml(root / "params.yaml"), lock if is_recorded else {})
    corpus = parameters.get("corpus", {})
    sources = _yaml(root / "data" / f"{corpus.get('kind')}.yaml").get("sources", {})
    return {
        "name": f"S2IGAN of {corpus.get('kind')}, edition {corpus.get('edition')}",
        **parameters,
        "counts": _json(root / "artifacts" / "corpus" / "corpus.json"),
        "figures": {
            name: _json(root / "metrics" / f"{name}.json")
            for name, stage in _FIGURES.items()
            if (name != "retrieval" or hears_by_sen(parameters))
            and is_recorded
            and _up_to_date(stage, lock)
        },
        "licence": _licence(corpus.get("kind"), sources),
        "sources": sources,
    }


def hears_by_sen(card: Mapping[str, Any]) -> bool:
    """Tell whether a model's speech encoder is SEN's, which figures of retrieval are about."""
    return bool(card.get("rdg", {}).get("speech_encoder", "trained") == "trained")


def _parameters(written: Mapping[str, Any], lock: Mapping[str, Any]) -> dict[str, Any]:
    locked: dict[str, Any] = {}
    for stage in lock.values():
        locked |= stage.get("params", {}).get("params.yaml", {})
    return {name: locked.get(name, written.get(name, {})) for name in SECTIONS}


def _licence(kind: object, sources: Mapping[str, Any]) -> str:
    if kind == "minibirds":
        return OWN_LICENCE
    theirs = "; ".join(f"{name}: {source['licence']}" for name, source in sources.items())
    return f"that of the corpus ({theirs})" if theirs else "that of the corpus"


def _is_recorded(rdg: Path, lock: Mapping[str, Any]) -> bool:
    outs = lock.get("train_rdg", {}).get("outs", ())
    known = [out.get("md5") for out in outs if out["path"] == "artifacts/rdg"]
    return not known or known == [folder_checksum(rdg)]


def folder_checksum(folder: Path) -> str:
    """Return what ``dvc.lock`` names as ``md5`` of a folder with these files."""
    listed = [
        {
            "md5": hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(),
            "relpath": path.relative_to(folder).as_posix(),
        }
        for path in folder.rglob("*")
        if path.is_file()
    ]
    text = json.dumps(sorted(listed, key=lambda one: one["relpath"]))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _up_to_date(stage: str, lock: Mapping[str, Any]) -> bool:
    """Tell whether what ``stage`` wrote is about the model as it lies there.

    That is so if, from both back to the first stage, whatever one read is what another wrote last.
    """
    if not lock:
        return True  # run without DVC, nobody kept a record
    made = {
        out["path"]: (name, out.get("md5")) for name, one in lock.items() for out in one["outs"]
    }
    waiting, seen = {stage, "train_rdg"}, set[str]()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        if name not in lock:
            return False
        for dep in lock[name].get("deps", ()):
            if dep["path"] not in made:
                continue
            maker, checksum = made[dep["path"]]
            if checksum != dep.get("md5"):
                return False
            waiting |= {maker} - seen
    return True


def _yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        from s2igan.engine.strict_yaml import read_yaml
    except ImportError as error:
        raise UserError(
            f"pipeline {str(path.parent)!r}",
            got="no package PyYAML to read its parameters",
            expected="the extra `pipeline`, or an exported model",
            fix="install `s2igan[pipeline]`, or export the model where the pipeline runs",
        ) from error
    value = read_yaml(path)
    return value if isinstance(value, dict) else {}


def _json(path: Path) -> dict[str, Any]:
    return read_object(path, "figures or counts", "run `dvc repro`") if path.is_file() else {}


def read_object(path: Path, what: str, fix: str) -> dict[str, Any]:
    """Read a JSON object; an error names ``what`` it holds and a ``fix``.

    Raises:
        UserError: if it cannot be read or holds anything else.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{what} {str(path)!r}", got=error, expected="JSON", fix=fix) from error
    if not isinstance(value, dict):
        got = f"a JSON {type(value).__name__}"
        raise UserError(f"{what} {str(path)!r}", got=got, expected="an object", fix=fix)
    return value
