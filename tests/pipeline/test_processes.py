"""The stages that compute, as two processes: the outputs are those of one."""

import importlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
import yaml
from safetensors.numpy import load_file

from s2igan.config import Params, read_params
from s2igan.engine.interrupts import Interrupts
from s2igan.engine.launch import free_port, run_locally
from s2igan.engine.session import plain_session
from s2igan.rdg.step import RdgStep
from s2igan.sen.data import SenData
from s2igan.sen.train import SenTraining
from tests.pipeline import in_turn
from tests.pipeline.conftest import Clone

pytestmark = pytest.mark.long

APART = 0.05
"""One process and two end 2e-5 (RDG) and 4e-3 (SEN) apart; one on other pictures 0.2 and 1.3."""

Weights = Mapping[str, npt.NDArray[Any]]

TORCHRUN = (
    *("python", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"),
)


def elsewhere(fresh: Clone, stage: str, folder: Path) -> tuple[list[str], dict[Path, Path]]:
    """The arguments of a stage that writes into ``folder``, and what it writes by what it wrote."""
    pipeline = yaml.safe_load((fresh.folder / "dvc.yaml").read_text(encoding="utf-8"))
    words = pipeline["stages"][stage]["cmd"].split()
    words = words[words.index(f"stages.{stage}") + 1 :]
    moved: dict[Path, Path] = {}
    locked = yaml.safe_load((fresh.folder / "dvc.lock").read_text(encoding="utf-8"))
    outputs = [out["path"] for out in locked["stages"][stage]["outs"]]
    for place, word in enumerate(words):
        inside = [out for out in outputs if out == word or out.startswith(f"{word}/")]
        if inside:
            words[place] = str(folder / word)
            moved[fresh.folder / word] = folder / word
    return words, moved


def files(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {path.name: path}
    return {str(p.relative_to(path)): p for p in sorted(path.rglob("*")) if p.is_file()}


def compare(moved: dict[Path, Path], alike: Callable[[Path, Path], None]) -> None:
    assert moved
    for old, new in moved.items():
        before, after = files(old), files(new)
        assert after.keys() <= before.keys()
        assert after
        for name, path in after.items():
            alike(before[name], path)


def same_bytes(before: Path, after: Path) -> None:
    assert before.read_bytes() == after.read_bytes(), after.name


def beginnings(fresh: Clone, params: Params, stage: str) -> dict[str, Weights]:
    """What a training begins with, by the file that its weights are written to."""
    if stage == "train_rdg":
        step = RdgStep(
            params.rdg,
            embedding_dim=params.sen.embedding_dim,
            embed_image=None,
            speech_statistics=(np.zeros(params.sen.embedding_dim, np.float32), 1.0),
            device=torch.device("cpu"),
        )
        return {"generator.safetensors": arrays(step.averaged_generator)}
    artifacts = fresh.folder / "artifacts"
    data = SenData(artifacts / "corpus", artifacts / "features")
    model = SenTraining(params.sen, data, plain_session()).model
    encoders = {"speech": model.speech_encoder, "image": model.image_encoder}
    return {f"{name}_encoder.safetensors": arrays(each) for name, each in encoders.items()}


def arrays(module: torch.nn.Module) -> Weights:
    return {name: value.detach().numpy() for name, value in module.named_parameters()}


def apart(before: Weights, after: Weights, began: Weights) -> float:
    """The distance of two trainings, as a share of the way that the first has come."""

    def way(start: Weights, end: Weights) -> float:
        return sum(float(np.square(end[name].astype(float) - start[name]).sum()) for name in began)

    return float(np.sqrt(way(before, after) / way(began, before)))


def close(began: Mapping[str, Weights], before: Path, after: Path) -> None:
    """Weights and losses, which differ by the order in which floats are added."""
    if after.suffix == ".safetensors":
        weights, found = load_file(before), load_file(after)
        assert weights.keys() == found.keys()
        if after.name in began:
            assert apart(weights, found, began[after.name]) < APART, after.name
        else:
            same_bytes(before, after)
    elif after.suffix == ".tsv":
        old, new = (pd.read_csv(path, sep="\t") for path in (before, after))
        # A share of eight pictures jumps where one of them is on the edge.
        names = [str(name) for name in old]
        smooth = [name for name in names if "accuracy" not in name and "mAP" not in name]
        np.testing.assert_allclose(new[smooth], old[smooth], rtol=0.05, atol=0.02)
    elif after.suffix == ".json":
        told = [json.loads(path.read_text("utf-8")) for path in (before, after)]
        assert told[0].keys() == told[1].keys()
    else:
        assert after.stat().st_size > 0


def test_two_processes_write_the_bytes_of_one(inside: Clone, tmp_path: Path) -> None:
    turns: list[tuple[str, int, list[str]]] = []
    written: dict[Path, Path] = {}
    with ExitStack() as stack:
        for stage in ("features", "embed", "sample", "evaluate"):
            words, moved = elsewhere(inside, stage, tmp_path)
            turns.append((stage, stack.enter_context(free_port()), words))
            written |= moved
        assert run_locally(in_turn.__name__, [json.dumps(turns)], 2, Interrupts()) == 0
    compare(written, same_bytes)


@pytest.fixture
def exact(inside: Clone, tmp_path: Path) -> Path:
    """Parameters without bfloat16, by which a few updates differ as much as by other pictures."""
    exact = tmp_path / "params.yaml"
    values = yaml.safe_load((inside.folder / "params.yaml").read_text(encoding="utf-8"))
    for section in ("sen", "rdg"):
        values[section]["precision"] = "float32"
    exact.write_text(yaml.safe_dump(values), encoding="utf-8")
    return exact


def run(stage: str, words: list[str], params: Path) -> int:
    code: int = importlib.import_module(f"stages.{stage}").STAGE.main(
        [*words, "--params", str(params)]
    )
    return code


def test_two_processes_train_what_one_process_trains(
    inside: Clone, exact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Iterable[Path]] = []
    for count in ("1", "2"):
        monkeypatch.setenv("S2IGAN_PROCESSES", count)
        words, moved = elsewhere(inside, "train_rdg", tmp_path / count)
        assert run("train_rdg", words, exact) == 0
        written.append(moved.values())
    began = beginnings(inside, read_params(exact), "train_rdg")
    compare(dict(zip(*written, strict=True)), partial(close, began))


def test_torchrun_trains_what_one_process_trains(
    inside: Clone, exact: Path, tmp_path: Path
) -> None:
    words, alone = elsewhere(inside, "train_sen", tmp_path / "alone")
    assert run("train_sen", words, exact) == 0
    words, together = elsewhere(inside, "train_sen", tmp_path / "together")
    inside.run(*TORCHRUN, "stages.train_sen", *words, "--params", str(exact))
    began = beginnings(inside, read_params(exact), "train_sen")
    compare(dict(zip(alone.values(), together.values(), strict=True)), partial(close, began))


def test_a_batch_that_cannot_be_shared_is_one_line(
    inside: Clone,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    params = tmp_path / "params.yaml"
    values = yaml.safe_load((inside.folder / "params.yaml").read_text(encoding="utf-8"))
    values["sen"]["batch"] += 1
    params.write_text(yaml.safe_dump(values), encoding="utf-8")
    words, _ = elsewhere(inside, "train_sen", tmp_path)
    monkeypatch.setenv("S2IGAN_PROCESSES", "2")
    assert run("train_sen", words, params) == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if "sen.batch" in line]
    assert len(errors) == 1
    assert errors[0].startswith("train_sen: sen.batch; got")
    assert not list(tmp_path.rglob("*.safetensors"))
