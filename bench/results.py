"""What a run on a machine with a GPU hands back: at most eight files of at most 16 MiB.

    python -m bench.results STATE OUT

`STATE` is the folder of :file:`bench/gpu.sh`. A finished training gives what the stage wrote, an
unfinished one what its last checkpoint holds. The generator, in bfloat16, and the checkpoint, where
there is room, come in parts with checksums; :mod:`bench.begin` takes such a checkpoint in again on
a fresh machine, `--generator artifacts/rdg` makes of the parts what the stages behind `train_rdg`
and the commands of the package read.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench.command import run
from bench.parts import MIB, join, split
from s2igan.config import read_params
from s2igan.engine.checkpoint import CheckpointStore
from s2igan.engine.curves import write_curves
from s2igan.engine.folders import fresh_folder
from s2igan.engine.pictures import save_png, tile
from s2igan.engine.tables import write_json
from s2igan.rdg.artifact import DESCRIPTION, WEIGHTS, copy_speech_encoder
from s2igan.rdg.networks import build_generator

LIMIT, FILES = 16 * MIB, 8
GENERATOR, CHECKPOINT = "generator", "checkpoint"
OWN = (
    "figures.json",
    "curves.tsv",
    "grid.png",
    "waiting.txt",
    f"{GENERATOR}.*",
    f"{CHECKPOINT}.*",
)
"""Patterns of what a call leaves in the folder of results."""


def collect(state: Path, out: Path) -> dict[str, Any]:
    """Write the result files of a run and return its figures.

    Args:
        state: with ``rdg``, ``curves.tsv`` and ``grid.png`` of a finished run, or checkpoints.
        out: an existing folder; what an earlier call left there goes, nothing else does.

    Raises:
        SystemExit: if the run has neither finished nor kept a checkpoint.
    """
    unfinished = None if (state / "rdg" / WEIGHTS).is_file() else _newest(state)
    # Parts of an earlier generator or checkpoint would count, and pass for this run's.
    for path in [path for pattern in OWN for path in out.glob(pattern)]:
        path.unlink()
    figures = _unfinished(state, out, *unfinished) if unfinished else _finished(state, out)
    write_json(out / "figures.json", figures)
    return figures


def _finished(state: Path, out: Path) -> dict[str, Any]:
    for name in ("curves.tsv", "grid.png"):
        shutil.copyfile(state / name, out / name)
    description = json.loads((state / "rdg" / DESCRIPTION).read_text(encoding="utf-8"))
    _hand_over(load_file(state / "rdg" / WEIGHTS), out)
    return {"finished": True, **description}


def _unfinished(state: Path, out: Path, folder: Path, saved: dict[str, Any]) -> dict[str, Any]:
    curves = saved["curves"]["rows"]
    write_curves(out / "curves.tsv", curves)
    rows = [row.numpy() for row in saved["grid"]["rows"]]
    save_png(out / "grid.png", tile(np.concatenate(rows), columns=len(rows[0])))
    weights = saved["networks"]["ema"]
    _hand_over(weights, out)
    params = read_params(state / "params.yaml")
    dimension = weights["conditioning.linear.weight"].shape[1]
    figures = {
        "finished": False,
        "generator": build_generator(params.rdg, dimension).architecture,
        "training": {"steps": saved["step"], "final": (curves or [{}])[-1]},
    }
    return {**figures, "checkpoint": _hand_over_checkpoint(folder, out)}


def _newest(state: Path) -> tuple[Path, dict[str, Any]]:
    folders = [
        path for path in (state / ".s2igan/checkpoints").glob("train_rdg-*") if path.is_dir()
    ]
    for folder in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True):
        if saved := CheckpointStore(folder, readonly=True).load():
            return folder, saved
    raise SystemExit("the run has neither finished nor kept a checkpoint")


def _hand_over(weights: dict[str, Tensor], out: Path) -> None:
    # Bfloat16 keeps three digits of every weight, which no picture shows.
    light = {
        name: (value.bfloat16() if value.is_floating_point() else value).contiguous()
        for name, value in weights.items()
    }
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / WEIGHTS
        save_file(light, path)
        split(path, out, GENERATOR, LIMIT)


def _hand_over_checkpoint(folder: Path, out: Path) -> str:
    # Two files are still to come: the figures and the list of the checkpoint's parts.
    room = FILES - len(list(out.iterdir())) - 2
    newest = max(path.name for path in folder.glob("step-*.pt"))
    with tempfile.TemporaryDirectory() as temporary:
        archive = Path(
            shutil.make_archive(
                f"{temporary}/{CHECKPOINT}", "tar", folder.parent, f"{folder.name}/{newest}"
            )
        )
        if archive.stat().st_size > room * LIMIT:
            return f"stays there: {archive.stat().st_size / MIB:.0f} MiB, room for {room * 16} MiB"
        split(archive, out, CHECKPOINT, LIMIT)
    return "in parts"


def join_generator(results: Path, folder: Path, sen: Path) -> None:
    """Make of the parts of a generator what the stage ``train_rdg`` would have written.

    Args:
        results: what came back.
        folder: where the generator goes, beside the speech encoder that it obeys. An earlier one
            is replaced, never written into: DVC links the files there to those of its cache.
        sen: ``artifacts/sen``, which stayed here: its trained encoder is that one.
    """
    figures = json.loads((results / "figures.json").read_text(encoding="utf-8"))
    kept = {name: figures[name] for name in ("generator", "training")}
    with fresh_folder(folder) as partial:
        join(results, GENERATOR, partial / WEIGHTS)
        weights = load_file(partial / WEIGHTS)
        whole = {k: v.float() if v.dtype == torch.bfloat16 else v for k, v in weights.items()}
        save_file(whole, partial / WEIGHTS)
        write_json(partial / DESCRIPTION, kept)
        copy_speech_encoder(sen, partial)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("state", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--generator", type=Path, help="join the generator in OUT into this folder")
    parser.add_argument(
        "--sen", type=Path, default=Path("artifacts/sen"), help="whose speech it obeys"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Collect results, or join the generator."""
    args = build_parser().parse_args(argv)
    if args.generator:
        join_generator(args.out, args.generator, args.sen)
    else:
        figures = collect(args.state, args.out)
        print(json.dumps({key: figures[key] for key in ("finished", "training")}))
    return 0


if __name__ == "__main__":
    run(main)
