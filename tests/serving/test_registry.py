"""Registered with MLflow, served by MLflow: a recording in, a picture out."""

import base64
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from s2igan.cli import main
from s2igan.engine.tables import write_json
from s2igan.serving.locate import find_model
from s2igan.serving.model import SpeechToImage
from s2igan.serving.recording import check_recording
from tests.serving.makers import RATE, babble, figure, write_pipeline

pytestmark = [
    # MLflow's own use of its libraries, and of what it finds in the models of others.
    pytest.mark.filterwarnings("ignore"),
]


def judged(root: Path, value: float) -> None:
    write_json(
        root / "metrics" / "generation.json", {"consistency": {"all_pairs": {"mAP": figure(value)}}}
    )


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A repository with three registered models, and what was said of each."""
    mlflow = pytest.importorskip("mlflow")
    root = write_pipeline(tmp_path_factory.mktemp("registered") / "repository")
    with pytest.MonkeyPatch.context() as patch:
        for name, setting in {"DVC_ROOT": str(root), "S2IGAN_DEVICE": "cpu"}.items():
            patch.setenv(name, setting)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(root)
        lines = []
        for value in (0.5, 0.4, 0.6):
            judged(root, value)
            lines.append(_said(["register"]))
        yield {"root": root, "lines": lines}
        mlflow.set_tracking_uri(None)  # set for the whole process, by `register`


def _said(arguments: list[str]) -> list[str]:
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        assert main(arguments) == 0
    return out.getvalue().splitlines()


@pytest.fixture(scope="module")
def client(said: dict[str, Any]) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{said['root'] / 'mlflow.db'}")


def test_the_alias_moves_only_to_the_better_one(said: dict[str, Any], client: Any) -> None:
    verdicts = [lines[1] for lines in said["lines"]]
    assert verdicts[0].startswith("champion is version 1, the first")
    assert verdicts[1].startswith("champion stays version 1")
    assert verdicts[2].startswith("champion moves from version 1 to 3")
    champion = client.get_model_version_by_alias("s2igan", "champion")
    assert str(champion.version) == "3"
    assert champion.tags["corpus.kind"] == "minibirds"
    assert champion.tags["generation/consistency/all_pairs/mAP"] == "0.6"
    assert champion.tags["protocol of generation/consistency/all_pairs/mAP"] == "by ear"


def test_the_run_carries_parameters_figures_and_pictures(said: dict[str, Any], client: Any) -> None:
    run = client.get_run(client.get_model_version("s2igan", "1").run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["corpus.edition"] == "drawn"
    assert run.data.metrics["generation/consistency/all_pairs/mAP"] == 0.5
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"README.md", "card.json", "pictures"} <= files
    pictures = {file.path for file in client.list_artifacts(run.info.run_id, "pictures")}
    assert {"pictures/example.flac", "pictures/example.png"} <= pictures
    assert str(said["root"] / "mlruns") in run.info.artifact_uri


def test_the_command_line_finds_the_champion(said: dict[str, Any], tmp_path: Path) -> None:
    clip, out = tmp_path / "clip.wav", tmp_path / "out.png"
    soundfile.write(clip, babble(), RATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(said["root"]))
        _said(["speak", str(clip), "-o", str(out), "--model", "models:/s2igan@champion"])
    assert out.is_file()


@pytest.mark.parametrize("edited", [{"value": "good"}, {"value": 0.5}])
def test_figures_that_were_edited_by_hand_register_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    edited: dict[str, object],
) -> None:
    root = write_pipeline(tmp_path / "repository")
    monkeypatch.setenv("DVC_ROOT", str(root))
    write_json(
        root / "metrics" / "generation.json", {"consistency": {"all_pairs": {"mAP": edited}}}
    )
    assert main(["register"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "got what cannot be told" in told
    assert not (root / "mlflow.db").exists()


def test_the_model_that_ships_is_registered_only_if_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["register"]) == 2
    assert capsys.readouterr().err.count("run `dvc repro train_rdg`") == 1
    assert not list(tmp_path.iterdir())


SERVER = """
import json, sys
import mlflow, pandas
from fastapi.testclient import TestClient
from mlflow.pyfunc.scoring_server import init

model = mlflow.pyfunc.load_model("models:/s2igan@champion")
with TestClient(init(model)) as client:
    for line in sys.stdin:
        if isinstance(rows := json.loads(line), list):
            print(200, json.dumps({"predictions": model.predict(pandas.DataFrame(rows))}))
            continue
        answer = client.post(
            "/invocations", content=line, headers={"Content-Type": "application/json"}
        )
        print(answer.status_code, answer.text.replace("\\n", " "))
"""


def served(root: Path, requests: list[object], folder: Path) -> list[tuple[int, Any]]:
    """Return the answers of MLflow's own server, which knows nothing of this repository.

    A list is given to the model in Python instead, as the rows of a table.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", SERVER],
        input="\n".join(json.dumps(request) for request in requests),
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={
            "MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlflow.db'}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "S2IGAN_DEVICE": "cpu",
            "OMP_NUM_THREADS": "1",
            "HOME": str(folder),
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers = (line.partition(" ") for line in done.stdout.splitlines())
    return [(int(code), json.loads(text)) for code, _, text in answers]


def test_a_server_answers_a_recording_with_the_models_own_picture(
    said: dict[str, Any], tmp_path: Path
) -> None:
    sound = babble()
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format="WAV", subtype="FLOAT")
    clip = base64.b64encode(file.getvalue()).decode()
    as_samples = {"samples": sound.astype(float).tolist(), "rate_hz": RATE}
    answers = served(
        said["root"],
        [
            {"dataframe_records": [{"recording": clip}]},
            {"dataframe_records": [as_samples], "params": {"count": 3, "seed": 7}},
            {"dataframe_records": [{"recording": clip}], "params": {"count": None}},
            [as_samples],
            [as_samples | {"rate_hz": float(RATE)}],
            {"dataframe_records": [{"recording": base64.b64encode(b"no sound").decode()}]},
            {"dataframe_records": [{"recording": "?"}]},
            {"dataframe_records": [{"recording": "ë"}]},
            {"dataframe_records": [{"recording": clip}], "params": {"count": 1000}},
            {"dataframe_records": [{"Recording": clip}]},
            {"dataframe_records": [{**as_samples, "rate_hz": RATE + 0.5}]},
            {"instances": [{"recording": clip}]},
            {"dataframe_records": [as_samples | {"rate_hz": "fast"}]},
            {"dataframe_records": [{"samples": as_samples["samples"]}]},
        ],
        tmp_path,
    )
    assert [code for code, _ in answers] == 5 * [200] + 9 * [400]
    model = SpeechToImage.load(find_model(str(said["root"])))
    embedding = model.embed([check_recording(sound, RATE, "clip")])
    assert_alike(answers[0][1], model.draw(embedding)[0, 0])
    row = np.array(picture(answers[1][1]))
    side = model.image_size
    assert row.shape[0] == side
    assert_alike(answers[1][1], model.draw(embedding, seed=7)[0, 0], (0, 0, side, side))
    assert answers[2] == answers[0] == answers[3] == answers[4]
    words = [answer["message"] for _, answer in answers[5:]]
    assert "recording 'of row 0'; got 8 bytes that do not decode" in words[0]
    assert all("expected an audio file in base64" in said for said in words[1:3])
    assert "count; got 1000; expected 1 to 64" in words[3]
    assert "rows; got no column known here; expected `recording`, or `samples`" in words[4]
    assert f"'of row 0'; got {RATE}.5 samples a second; expected a whole number" in words[5]
    assert "got a whole column; expected one recording a row; send the rows as" in words[6]
    assert "got rate_hz 'fast'; expected samples a second" in words[7]
    assert "got no rate_hz; expected samples a second" in words[8]


def picture(answer: Any) -> Image.Image:
    (row,) = answer["predictions"]
    return Image.open(io.BytesIO(base64.b64decode(row["png"])))


def assert_alike(answer: Any, expected: Any, box: tuple[int, int, int, int] | None = None) -> None:
    drawn = picture(answer)
    # The logged model keeps half the digits.
    difference = np.abs(np.asarray(drawn.crop(box) if box else drawn, int) - expected.astype(int))
    assert difference.max() <= 3
