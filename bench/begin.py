"""What a training on a machine with a GPU goes on from: one of the same run, or nothing.

    python -m bench.begin STATE [--steps N] [--restore RESULTS]

`STATE` is the folder of :file:`bench/gpu.sh`, its inputs unpacked. A checkpoint belongs to the
parameters, the inputs and the code that it was computed with: of others, the training would pass
over it in silence and start anew. `RESULTS`, which an earlier call handed back, brings one along.
"""

import argparse
import json
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.command import run
from bench.parts import join
from bench.results import CHECKPOINT
from s2igan.config import Params, read_params
from s2igan.engine.strict_yaml import read_yaml
from s2igan.errors import UserError
from s2igan.rdg.artifact import DESCRIPTION
from stages.train_rdg import STAGE

OTHERS = "take the code, pieces and STEPS of before, or another STATE"


def begin(state: Path, steps: int | None = None, results: Path | None = None) -> None:
    """Set how long is trained, and take a checkpoint in.

    Args:
        state: with the unpacked inputs and ``params.yaml``, perhaps trained before.
        steps: instead of ``rdg.steps`` of the parameters, or None.
        results: what came back of a call elsewhere whose checkpoint is gone on from, or None.

    Raises:
        UserError: if what lies in ``state`` or ``results`` is of another run, or no training takes
            so many steps; ``params.yaml`` stays as it was.
        SystemExit: if a part of the checkpoint is absent or damaged.
    """
    changed = state / "params.partial"
    changed.write_text(_with_steps(state / "params.yaml", steps), encoding="utf-8")
    params = read_params(changed)
    _check_finished(state / "rdg" / DESCRIPTION, params)
    own = f"{STAGE.name}-{STAGE.key(params, _inputs(state), STAGE.sources())}"
    checkpoints = state / ".s2igan" / "checkpoints"
    kept = {path.parent.name for path in checkpoints.glob(f"{STAGE.name}-*/step-*.pt")}
    _check_key(kept, own, f"checkpoint in {str(state)!r}")
    if results is not None:
        _restore(results, checkpoints, own)
    changed.rename(state / "params.yaml")


def _with_steps(path: Path, steps: int | None) -> str:
    if steps is None:
        return path.read_text(encoding="utf-8")
    if steps < 1:
        raise UserError("STEPS", got=steps, expected="at least 1")
    values: Any = read_yaml(path)
    values["rdg"]["steps"] = steps
    return yaml.safe_dump(values, sort_keys=False)


def _inputs(state: Path) -> dict[str, Path]:
    return {name: state / "packed" / name for name in STAGE.inputs}


def _check_finished(description: Path, params: Params) -> None:
    # Its checkpoints are gone, and it would be handed back for a training of other steps.
    if not description.is_file():
        return
    taken = json.loads(description.read_text(encoding="utf-8"))["training"]["steps"]
    if taken != params.rdg.steps:
        expected = f"{taken}, of the finished training"
        raise UserError("STEPS", got=params.rdg.steps, expected=expected, fix=OTHERS)


def _check_key(found: set[str], own: str, what: str) -> None:
    if found and own not in found:
        raise UserError(what, got=min(found), expected=f"{own}, of the run here", fix=OTHERS)


def _restore(results: Path, checkpoints: Path, own: str) -> None:
    checkpoints.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        archive = Path(temporary) / f"{CHECKPOINT}.tar"
        join(results, CHECKPOINT, archive)
        with tarfile.open(archive) as tar:
            found = {Path(name).parts[0] for name in tar.getnames()}
            _check_key(found, own, f"checkpoint in {str(results)!r}")
            tar.extractall(checkpoints, filter="data")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("state", type=Path)
    parser.add_argument("--steps", type=int, help="instead of rdg.steps of the parameters")
    parser.add_argument("--restore", type=Path, help="results whose checkpoint goes into STATE")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Begin, or refuse."""
    args = build_parser().parse_args(argv)
    begin(args.state, args.steps, args.restore)


if __name__ == "__main__":
    run(main)
