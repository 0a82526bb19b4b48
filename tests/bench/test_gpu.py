"""The way to a machine with a GPU and back: pieces, two calls, results, parts, an import."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench import begin, import_curves, pack, parts, results
from bench.command import run
from bench.parts import MIB
from bench.synthetic import write_artifacts
from s2igan.config import read_params
from s2igan.engine.arrays import open_array
from s2igan.engine.keeper import Keeper
from s2igan.errors import UserError
from s2igan.rdg.artifact import load_generator
from s2igan.rdg.draw import draw
from s2igan.vision.pixels import PackedPixels
from stages.train_rdg import INPUTS, STAGE

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "presets" / "smoke.yaml"
SIDE = 64  # of its crops, px
# Of the project's dependencies, those that neither lie on such a machine nor travel as wheels.
LACKING = """
    boto3 cffi dvc espeakng_loader gdown gradio matplotlib mlflow num2words psutil pynvml requests
    scipy sounddevice soundfile torch_fidelity
"""


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifacts")
    write_artifacts(folder, read_params(SMOKE), pictures=24)
    return folder


@pytest.fixture(scope="module")
def pieces(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pieces")
    pack.pack(artifacts, SMOKE, out, limit=MIB // 8, wheels=None, shape=pack.Shape())
    return out


def call(pieces: Path, state: Path, out: Path, status: int = 0, **settings: str) -> str:
    own = {"OUT": out, "STATE": state, "PIECES": pieces, "PYTHON": sys.executable, **settings}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("S2IGAN_")}
    done = subprocess.run(
        ["bash", "bench/gpu.sh"],
        cwd=ROOT,
        env={**kept, **{name: str(value) for name, value in own.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout[-3000:]
    return done.stdout


def test_pieces_travel_in_two_calls_and_results_come_back(
    artifacts: Path, pieces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = sorted(path for path in pieces.iterdir() if path.suffix != ".json")
    assert len(sent) >= 2
    halves = [tmp_path / "first", tmp_path / "second"]
    for half, chosen in zip(halves, (sent[:1], sent[1:]), strict=True):
        half.mkdir()
        for path in (*chosen, pieces / "inputs.json"):
            shutil.copy(path, half)
    state, out = tmp_path / "state", tmp_path / "out"
    assert f"waiting for more pieces: {sent[1].name}" in call(halves[0], state, out)
    call(halves[1], state, out, STEPS="4")
    files = list(out.iterdir())
    assert out / "waiting.txt" not in files
    assert len(files) <= results.FILES
    assert max(path.stat().st_size for path in files) <= results.LIMIT
    figures = json.loads((out / "figures.json").read_text(encoding="utf-8"))
    assert figures["finished"]
    assert figures["training"]["steps"] == 4
    with pytest.raises(SystemExit, match="2"):
        run(lambda: begin.main([str(state), "--steps", "6"]))
    told = ": STEPS; got 6; expected 4, of the finished training; take the code, pieces and STEPS"
    assert told in capsys.readouterr().err
    (halves[0] / "inputs.json").write_text("{}", encoding="utf-8")
    told = call(halves[0], state, out, status=2)
    assert told.startswith(f"PIECES {halves[0]}: got other inputs than {state} holds; ")
    assert told.count("\n") == 1
    earlier = linked(tmp_path / "generator", ["generator.safetensors", "rdg.json", "sen.json"])
    results.join_generator(out, tmp_path / "generator", artifacts / "sen")
    assert {path.read_text(encoding="utf-8") for path in earlier} == {"earlier"}
    assert (tmp_path / "generator" / "sen.json").is_file()
    generator = load_generator(tmp_path / "generator")
    noise = np.zeros((2, generator.noise_dim + generator.condition_dim), np.float32)
    speech = np.ones((2, generator.embedding_dim), np.float32)
    cpu = torch.device("cpu")
    assert draw(generator, speech, noise, device=cpu, precision="float32").shape == (2, 32, 32, 3)
    rows = import_curves.read_curves(out / "curves.tsv")
    assert [step for step, _ in rows] == [2, 4]
    assert all("KL" in values for _, values in rows)


def linked(folder: Path, names: list[str]) -> list[Path]:
    """Write files into ``folder``, and return other names of them, as DVC's cache has them."""
    folder.mkdir()
    cache = folder.with_name("cache")
    cache.mkdir()
    for name in names:
        (cache / name).write_text("earlier", encoding="utf-8")
        (folder / name).hardlink_to(cache / name)
    return [cache / name for name in names]


def test_all_that_a_call_starts_needs_what_the_machine_has_or_gets() -> None:
    blocker = f"""
import importlib, sys
class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {LACKING.split()!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refusal())
for name in ("parts", "pack", "begin", "results", "train", "where", "worker", "reference"):
    importlib.import_module("bench." + name)
importlib.import_module("stages.train_rdg")
"""
    done = subprocess.run(
        [sys.executable, "-c", blocker], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_is_packed_comes_out_again(
    artifacts: Path, pieces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.join(pieces, pack.NAME, tmp_path / "inputs.tar")
    shutil.unpack_archive(tmp_path / "inputs.tar", tmp_path, filter="data")
    packed = tmp_path / "packed"
    with monkeypatch.context() as patch:
        patch.setattr(pack, "_expanded", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pack.unpack(packed)
    assert (packed / "features" / "pixels.npy").is_file()
    pack.unpack(packed)
    for name in pack.EMBEDDINGS:
        before = open_array(artifacts / "embeddings" / f"{name}.npy")
        after = open_array(packed / "embeddings" / f"{name}.npy")
        np.testing.assert_allclose(after, before, atol=1e-3)
    drawn, seen = (PackedPixels(folder / "features") for folder in (artifacts, packed))
    np.testing.assert_array_equal(seen.shapes, drawn.shapes)
    # Noise, the hardest there is to compress: tiles of it keep their brightness.
    error = np.abs(brightness(seen[5]) - brightness(drawn[5])).mean()
    assert error < 2
    assert np.abs(brightness(seen[6]) - brightness(drawn[5])).mean() > 4  # another picture


def test_the_same_inputs_packed_again_are_the_same_pieces(
    artifacts: Path, pieces: Path, tmp_path: Path
) -> None:
    copied, again = tmp_path / "params.yaml", tmp_path / "pieces"
    shutil.copyfile(SMOKE, copied)
    os.utime(copied, (0, 0))
    pack.pack(artifacts, copied, again, limit=MIB // 8, wheels=None, shape=pack.Shape())
    assert (again / "inputs.json").read_bytes() == (pieces / "inputs.json").read_bytes()


def interrupted(_: Any) -> Any:
    raise KeyboardInterrupt


def test_embeddings_come_out_alike_however_a_machine_adds_up(pieces: Path, tmp_path: Path) -> None:
    parts.join(pieces, pack.NAME, tmp_path / "inputs.tar")
    made = []
    for turn in (1, -1):
        shutil.unpack_archive(tmp_path / "inputs.tar", tmp_path / str(turn), filter="data")
        embeddings = tmp_path / str(turn) / "packed" / "embeddings"
        for name in pack.EMBEDDINGS:
            with np.load(embeddings / f"{name}.npz") as light:
                turned = {
                    "coefficients": light["coefficients"][:, ::turn],
                    "directions": light["directions"][::turn],
                }
                turned = {**light, **turned}
            np.savez(embeddings / f"{name}.npz", **turned)
        pack.unpack(embeddings.parent)
        made.append([(embeddings / f"{name}.npy").read_bytes() for name in pack.EMBEDDINGS])
    assert made[0] == made[1]


def brightness(picture: Any) -> Any:
    height, width = (side // 8 * 8 for side in picture.shape[:2])
    tiles = picture[:height, :width].reshape(height // 8, 8, width // 8, 8, 3)
    return tiles.mean(axis=(1, 3, 4))


def test_pictures_are_made_smaller_on_request(artifacts: Path, tmp_path: Path) -> None:
    shape = pack.Shape(quality=70, side=SIDE)
    pack.pack(artifacts, SMOKE, tmp_path, limit=MIB, wheels=None, shape=shape)
    parts.join(tmp_path, pack.NAME, tmp_path / "inputs.tar")
    shutil.unpack_archive(tmp_path / "inputs.tar", tmp_path, filter="data")
    pack.unpack(tmp_path / "packed")
    assert min(PackedPixels(tmp_path / "packed" / "features").shapes[0][:2]) == SIDE


def test_pictures_too_small_for_the_training_do_not_travel(artifacts: Path, tmp_path: Path) -> None:
    shape = pack.Shape(side=SIDE - 1)
    with pytest.raises(SystemExit, match=rf"--side: got {SIDE - 1}; expected at least {SIDE}, "):
        pack.pack(artifacts, SMOKE, tmp_path / "pieces", limit=MIB, wheels=None, shape=shape)
    assert not (tmp_path / "pieces").exists()


def test_a_damaged_part_is_told(pieces: Path, tmp_path: Path) -> None:
    shutil.copytree(pieces, tmp_path / "pieces")
    part = tmp_path / "pieces" / "inputs.001"
    part.write_bytes(b"x" + part.read_bytes()[1:])
    assert parts.missing(tmp_path / "pieces", "inputs") == ["inputs.001"]
    with pytest.raises(SystemExit, match=r"inputs\.001"):
        parts.join(tmp_path / "pieces", "inputs", tmp_path / "inputs.tar")


def train(artifacts: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("DVC_ROOT", str(state))
    monkeypatch.setenv("S2IGAN_TRACKING", "off")
    arguments = ["--params", str(SMOKE)]
    for name in INPUTS:
        arguments += [f"--{name}", str(artifacts / name)]
    for name, path in (("rdg", "rdg"), ("curves", "curves.tsv"), ("grid", "grid.png")):
        arguments += [f"--{name}", str(state / path)]
    return STAGE.main(arguments)


def test_a_checkpoint_goes_on_from_parts_on_a_fresh_machine(
    artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[int]
) -> None:
    states = [tmp_path / name for name in ("broken", "fresh", "whole")]
    for state in states:
        state.mkdir()
        shutil.copy(SMOKE, state / "params.yaml")
    after = Keeper.after

    def broken_off(self: Keeper, step: int) -> None:
        after(self, step)
        if step == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "after", broken_off)
        assert train(artifacts, states[0], monkeypatch) == 130
    out = tmp_path / "out"
    out.mkdir()
    figures = results.collect(states[0], out)
    first = {path.name for path in out.iterdir()}
    assert results.collect(states[0], out) == figures
    assert {path.name for path in out.iterdir()} == first
    assert not figures["finished"]
    assert figures["training"]["steps"] == 4
    assert figures["checkpoint"] == "in parts"
    assert len(list(out.iterdir())) <= results.FILES
    results.join_generator(out, tmp_path / "generator", artifacts / "sen")
    assert (tmp_path / "generator" / "sen.json").is_file()
    load_generator(tmp_path / "generator")
    (states[1] / "packed").symlink_to(artifacts)
    before = (states[1] / "params.yaml").read_bytes()
    with pytest.raises(UserError, match=r"got train_rdg-\w{32}; expected train_rdg-.* STEPS"):
        begin.begin(states[1], steps=7, results=out)
    assert (states[1] / "params.yaml").read_bytes() == before
    begin.begin(states[1], results=out)
    with pytest.raises(UserError, match=r"checkpoint in .*fresh'; got train_rdg-.* STEPS"):
        begin.begin(states[1], steps=7)
    for state, steps in zip(states[1:], ([5, 6], [1, 2, 3, 4, 5, 6]), strict=True):
        taken.clear()
        assert train(artifacts, state, monkeypatch) == 0
        assert taken == steps
    weights = [(state / "rdg" / "generator.safetensors").read_bytes() for state in states[1:]]
    assert weights[0] == weights[1]
    assert results.collect(states[1], out)["finished"]
    assert {path.name for path in out.iterdir()} == {
        name for name in first if not name.startswith("checkpoint")
    }


def test_curves_become_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    (tmp_path / "curves.tsv").write_text("step\tKL\tRS\n10\t0.5\t\n20\t0.25\t1.5\n", "utf-8")
    assert import_curves.import_curves(tmp_path, SMOKE) == 2
    client = mlflow.MlflowClient(address)
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
    [run] = [run for run in runs if "KL" in run.data.metrics]
    assert run.data.metrics["KL"] == 0.25
    assert run.data.metrics["RS"] == 1.5
