"""Trainings that are killed or told to end, and started again, against untouched ones."""

import secrets
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bench.kills import CHECKPOINTS, PATIENCE_S, Run, last_kept, survive, taken, undisturbed
from s2igan.engine.strict_yaml import read_yaml
from tests.pipeline.conftest import ROOT
from tests.rdg.makers import rdg_config, write_inputs
from tests.sen.synthetic import sen_config, write_synthetic

STAGES = ("train_sen", "train_rdg")
STEPS = 40


def sections() -> dict[str, Any]:
    values = read_yaml(ROOT / "presets" / "smoke.yaml")
    assert isinstance(values, dict)
    sen = sen_config(steps=STEPS, checkpoint_every_steps=2, time_masks=1, feature_noise=0.1)
    rdg = rdg_config(steps=STEPS, augment=["translation"], embedding_mix=0.5, base_size=8, crop=32)
    sized = {"crop": rdg.crop}
    values["sen"], values["rdg"] = sen.model_dump(mode="json"), rdg.model_dump(mode="json")
    values["features"] |= sized
    values["evaluate"] |= sized
    return values


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("killed")
    params = folder / "params.yaml"
    params.write_text(yaml.safe_dump(sections()), encoding="utf-8")
    write_synthetic(folder / "spoken")
    (folder / "drawn").mkdir()
    inputs = write_inputs(folder / "drawn")
    sen = {name: folder / "spoken" / name for name in ("corpus", "features")}
    sen |= {"sen": folder / "sen", "curves": folder / "sen.tsv"}
    rdg = {**inputs, "rdg": folder / "rdg", "curves": folder / "rdg.tsv"}
    rdg["grid"] = folder / "grid.png"
    return {
        "train_sen": Run("train_sen", params, sen, ["sen", "curves"]),
        "train_rdg": Run("train_rdg", params, rdg, ["rdg", "curves", "grid"]),
    }


@pytest.fixture(scope="module", params=STAGES)
def alone(
    request: pytest.FixtureRequest, runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, str, float]:
    """A training, the hash of what it wrote when nobody touched it, and its seconds."""
    run = runs[request.param]
    return run, *undisturbed(run, tmp_path_factory.mktemp("alone"))


def test_a_killed_training_ends_with_the_same_bytes(
    alone: tuple[Run, str, float], tmp_path: Path
) -> None:
    run, digest, seconds = alone
    seed = secrets.randbits(32)
    rng = np.random.default_rng(seed)
    survived = survive(run, tmp_path, kills=2, rng=rng, alone=(digest, seconds))
    told = f"moments drawn by seed {seed}: {survived}"
    assert survived.kills == 2, told
    assert survived.same, told
    assert survived.starts > 0, told
    assert survived.anew == 0, told
    assert not list(tmp_path.glob(CHECKPOINTS)), told


def test_a_training_that_is_told_to_end_keeps_its_last_step(
    alone: tuple[Run, str, float], tmp_path: Path
) -> None:
    run, expected, _ = alone
    process = run.start(tmp_path, told_by=STEPS - 1)
    while process.is_alive() and not list(tmp_path.glob(CHECKPOINTS)):
        time.sleep(0.001)
    process.terminate()
    process.join(PATIENCE_S)
    assert process.exitcode == 143
    kept = last_kept(tmp_path)
    assert taken(tmp_path) == list(range(1, kept + 1))
    run.finish(tmp_path)
    assert run.digest() == expected
    assert taken(tmp_path) == list(range(1, STEPS + 1))
