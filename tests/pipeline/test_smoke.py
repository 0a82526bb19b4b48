"""The whole pipeline in a fresh clone: once, again, as experiments, and without any text."""

import importlib
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from s2igan.config import read_params
from s2igan.corpora.index import Corpus
from s2igan.engine.costs import machine
from tests.pipeline.conftest import SMALL, Clone, clone_into
from tests.pipeline.field_recordings import record, write_index
from tests.pipeline.in_process import ARTIFACTS, run_stages


def stages_that_ran(output: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", output)


def test_a_fresh_clone_gets_every_output_and_stays_clean(fresh: Clone) -> None:
    for name in ARTIFACTS:
        assert any((fresh.folder / "artifacts" / name).iterdir())
    assert fresh.changed() <= {"dvc.lock", *SMALL}
    assert all((fresh.folder / path).stat().st_size for path in SMALL)
    assert "up to date" in fresh.run("dvc", "repro")


@pytest.mark.long
def test_a_second_run_gives_the_same_bytes_whatever_the_workers(
    inside: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = time.time()
    monkeypatch.setenv("S2IGAN_WORKERS", "2")
    pipeline = yaml.safe_load((inside.folder / "dvc.yaml").read_text(encoding="utf-8"))
    for name, stage in pipeline["stages"].items():
        words = stage["cmd"].split()[3:]
        assert importlib.import_module(f"stages.{name}").STAGE.main(words) == 0
    assert all((inside.folder / "artifacts" / name).stat().st_mtime > begun for name in ARTIFACTS)
    assert all((inside.folder / path).stat().st_mtime > begun for path in SMALL)
    assert "up to date" in inside.run("dvc", "status")


def test_no_stage_opens_a_connection(fresh: Clone) -> None:
    assert fresh.connections() == []
    told = fresh.run(
        "python", "-c", "import urllib.request as u; u.urlopen('http://a.example')", check=False
    )
    assert "no address of a.example" in told
    assert fresh.connections() == ["a.example"]


def test_the_report_prints_both_files_of_figures(fresh: Clone) -> None:
    printed = fresh.run("s2igan", "report")
    assert "mAP" in printed
    assert "FID" in printed
    shown = json.loads(fresh.run("dvc", "metrics", "show", "--json"))
    assert set(shown[""]["data"]) == {path for path in SMALL if path.endswith(".json")}


def test_a_touched_line_reruns_what_it_can_change(fresh: Clone) -> None:
    rerun = {
        "s2igan/evaluation/keywords.py": {"evaluate"},
        "s2igan/sen/schedule.py": {"train_sen"},
        "s2igan/speech/espeak.py": {"tts"},
        "s2igan/engine/tracking.py": set(),
        "s2igan/config.py": set(),
    }
    before = {path: (fresh.folder / path).read_text() for path in rerun}
    for path, text in before.items():
        (fresh.folder / path).write_text(text + "\n# touched\n")
    try:
        status = json.loads(fresh.run("dvc", "status", "--json"))
    finally:
        for path, text in before.items():
            (fresh.folder / path).write_text(text)
    for path, stages in rerun.items():
        own = {
            name
            for name, changes in status.items()
            if any(path in change.get("changed deps", {}) for change in changes if change)
        }
        assert own == stages, path


@pytest.mark.long
# MLflow's own use of its libraries is warned about when its records are read.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_queued_ablation_runs_the_queued_code_and_is_tracked_in_this_repository(
    fresh: Clone,
) -> None:
    fresh.commit("Outputs")
    stage = fresh.folder / "stages" / "evaluate.py"
    before = stage.read_text()
    marked = 'paths["metrics"].write_text(\'{"queued": {"value": 1.0}}\')'
    stage.write_text(before.replace("    show_all(", f"    {marked}\n    show_all("))
    try:
        fresh.run("dvc", "exp", "run", "--queue", "-n", "no-rs", "-S", "rdg.use_rs=false")
    finally:
        stage.write_text(before)
    # DVC's worker would keep a pipe open, and with it this test, for seconds after the last stage.
    fresh.run("sh", "-c", "exec dvc queue start >/dev/null 2>&1", S2IGAN_TRACKING="mlflow")
    found = ("git", "for-each-ref", "--format=%(refname)", "refs/exps/*/*/no-rs")
    deadline = time.monotonic() + 600
    while not (listed := fresh.run(*found)):
        assert time.monotonic() < deadline, fresh.run("dvc", "queue", "logs", "no-rs", check=False)
        time.sleep(0.5)
    while "Success" not in (status := fresh.run("dvc", "queue", "status")):
        assert "Failed" not in status, fresh.run("dvc", "queue", "logs", "no-rs", check=False)
        assert time.monotonic() < deadline, status
        time.sleep(1)
    ran = stages_that_ran(fresh.run("dvc", "queue", "logs", "no-rs"))
    assert ran == ["train_rdg", "sample", "evaluate"]
    assert fresh.changed() == set()
    assert '"queued"' in fresh.run("git", "show", f"{listed.strip()}:metrics/generation.json")
    assert "queued" not in (fresh.folder / "metrics" / "generation.json").read_text()
    evaluated = evaluate_run(fresh.folder)
    assert evaluated["status"] == "FINISHED"
    assert evaluated["tags"]["s2igan.device"] == "cpu"
    assert evaluated["tags"]["s2igan.machine"] == machine()
    assert evaluated["params"]["rdg.use_rs"] == "false"
    assert evaluated["params"]["corpus.kind"] == "minibirds"
    assert {"retrieval", "fidelity"} <= {name.split("/")[0] for name in evaluated["metrics"]}
    assert evaluated["place"].startswith((fresh.folder / "mlruns").as_uri())


def evaluate_run(folder: Path) -> dict[str, Any]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("s2igan")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.`dvc.stage` = 'evaluate'")
    assert len(runs) == 1
    run = runs[0]
    return {
        "status": run.info.status,
        "tags": run.data.tags,
        "params": run.data.params,
        "metrics": run.data.metrics,
        "place": run.info.artifact_uri,
    }


def prepare(corpus: Path, folder: Path) -> None:
    """Have the pictures of a corpus described by other voices, and list the recordings alone."""
    source = Corpus(corpus)
    captions = source.descriptions.query("role == 'caption' and position < 2")
    names = [f"{row.image:03d}_{row.position}" for row in captions.itertuples()]
    files = record(folder, names, captions["text"].tolist())
    rows = []
    for image, file in zip(captions["image"], files, strict=True):
        (folder / f"{image:03d}.jpg").write_bytes(source.picture_bytes(image))
        picture = source.images.iloc[image]
        # Fidelity halves the test pictures, so there must be more than the preset draws.
        split = "train" if picture["split"] == "train" else "test"
        row = {"image": f"{image:03d}.jpg", "recording": file}
        rows.append({**row, "class": picture["class_name"], "split": split})
    write_index(folder, rows)


@pytest.mark.long
def test_recordings_without_any_text_go_all_the_way(
    fresh: Clone, tmp_path_factory: pytest.TempPathFactory
) -> None:
    archives = tmp_path_factory.mktemp("archives")
    folder = archives / "recorded" / "field_notes"
    folder.mkdir(parents=True)
    prepare(fresh.folder / "artifacts/corpus", folder)
    clone = clone_into(tmp_path_factory.mktemp("recorded") / "clone")
    params = (clone.folder / "params.yaml").read_text()
    for before, after in [
        ("kind: minibirds", "kind: recorded"),
        ("edition: drawn", "edition: field_notes"),
        ("engine: espeak", "engine: recorded"),
    ]:
        assert before in params
        params = params.replace(before, after)
    (clone.folder / "params.yaml").write_text(params)
    clone.run("dvc", "repro", "tts", S2IGAN_ARCHIVES=str(archives))
    assert clone.changed() == {"dvc.lock", "params.yaml"}
    run_stages(read_params(clone.folder / "params.yaml"), clone.folder, first="features")
    corpus = Corpus(clone.folder / "artifacts" / "corpus")
    assert corpus.descriptions["text"].isna().all()
    assert corpus.has_classes
    figures = json.loads((clone.folder / "evaluate.json").read_text())
    assert figures["keywords"]["absent"]
    assert figures["swap"]["absent"]
    assert "value" in figures["consistency"]["all_pairs"]["mAP"]
