"""The card of a pipeline's model: what was trained, not what somebody has written since."""

import json
from pathlib import Path
from typing import Any

import pytest

from s2igan.errors import UserError
from s2igan.serving.card import own_recordings, own_voice, read_card
from s2igan.serving.origin import folder_checksum, pipeline_root
from tests.serving.makers import TTS, write_model, write_pipeline


def lock(**changes: str) -> dict[str, Any]:
    """A record of four stages in which everything fits; ``changes`` are checksums that do not."""
    made = {"sen": "s", "rdg": "r", "samples": "p"}
    read = {**made, **changes}

    def one(name: str, *deps: str) -> dict[str, Any]:
        return {
            "deps": [{"path": f"artifacts/{dep}", "md5": read[dep]} for dep in deps],
            "outs": [{"path": f"artifacts/{name}", "md5": made.get(name)}],
        }

    stages = {
        "train_sen": one("sen"),
        "embed": one("embeddings", "sen"),
        "train_rdg": one("rdg", "sen"),
        "sample": one("samples", "rdg"),
        "evaluate": one("figures", "samples"),
    }
    stages["train_rdg"]["params"] = {"params.yaml": {"rdg": {"steps": 10, "batch_size": 24}}}
    return {"schema": "2.0", "stages": stages}


def card_of(folder: Path, record: dict[str, Any] | None) -> dict[str, Any]:
    rdg = write_pipeline(folder) / "artifacts" / "rdg"
    if record is not None:
        text = json.dumps(record).replace('"r"', f'"{folder_checksum(rdg)}"')
        (folder / "dvc.lock").write_text(text, encoding="utf-8")
    return read_card(rdg)


def test_parameters_are_those_of_the_training(tmp_path: Path) -> None:
    card = card_of(tmp_path, lock())
    assert card["rdg"]["steps"] == 10  # the record
    assert card["sen"]["steps"] == 500  # the file, where the record has none
    assert card["corpus"]["kind"] == "minibirds"


def test_figures_of_the_model_are_on_its_card(tmp_path: Path) -> None:
    assert set(card_of(tmp_path, lock())["figures"]) == {"retrieval", "generation"}


def test_without_a_record_figures_are_taken_as_they_lie(tmp_path: Path) -> None:
    assert set(card_of(tmp_path, None)["figures"]) == {"retrieval", "generation"}


@pytest.mark.parametrize(
    ("changed", "left"),
    [("samples", {"retrieval"}), ("rdg", {"retrieval"}), ("sen", set())],
)
def test_figures_of_another_training_are_left_out(
    tmp_path: Path, changed: str, left: set[str]
) -> None:
    assert set(card_of(tmp_path, lock(**{changed: "older"}))["figures"]) == left


def test_a_record_of_another_model_tells_nothing_of_this_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card_of(tmp_path, lock())
    assert capsys.readouterr().err == ""
    rdg = tmp_path / "artifacts" / "rdg"
    (rdg / "rdg.json").write_text((rdg / "rdg.json").read_text() + "\n")
    card = read_card(rdg)
    assert (card["rdg"]["steps"], card["figures"]) == (2200, {})  # the file's, not the record's 10
    said = f"model {str(rdg)!r} is not that of dvc.lock: parameters are those of params.yaml, and "
    assert capsys.readouterr().err.startswith(said)


def test_the_checksum_of_a_folder_is_that_of_dvc(tmp_path: Path) -> None:
    for name, text in {"a": "1\n", "b/c": "2\n", "b.json": "3\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    # As `dvc add` wrote it for these files.
    assert folder_checksum(tmp_path) == "ef98b559aa6e15f0bb64fb4c2a751284.dir"


@pytest.mark.parametrize("encoder", ["untrained", "end_to_end"])
def test_figures_of_another_encoder_are_left_out(tmp_path: Path, encoder: str) -> None:
    record = lock()
    record["stages"]["train_rdg"]["params"]["params.yaml"]["rdg"]["speech_encoder"] = encoder
    assert set(card_of(tmp_path, record)["figures"]) == {"generation"}


def test_figures_that_were_never_taken_are_left_out(tmp_path: Path) -> None:
    record = lock()
    del record["stages"]["evaluate"]
    assert set(card_of(tmp_path, record)["figures"]) == {"retrieval"}


def test_a_lone_folder_has_an_empty_card(tmp_path: Path) -> None:
    assert read_card(write_model(tmp_path / "rdg")) == {}
    assert read_card(write_model(tmp_path / "elsewhere" / "artifacts" / "rdg")) == {}


def test_a_link_to_a_pipelines_model_has_the_card_of_the_pipeline(tmp_path: Path) -> None:
    rdg = write_pipeline(tmp_path / "pipeline") / "artifacts" / "rdg"
    (tmp_path / "best").symlink_to(rdg)
    assert read_card(tmp_path / "best") == read_card(rdg) != {}


def test_outputs_may_lie_behind_a_link(tmp_path: Path) -> None:
    artifacts = write_pipeline(tmp_path / "pipeline") / "artifacts"
    artifacts.rename(tmp_path / "large disk")
    artifacts.symlink_to(tmp_path / "large disk")
    assert read_card(artifacts / "rdg")["corpus"]["kind"] == "minibirds"


@pytest.mark.parametrize("folder", ["/", "/model", "/artifacts/rdg"])
def test_a_folder_at_the_top_of_the_disk_is_no_pipelines(folder: str) -> None:
    assert pipeline_root(Path(folder)) is None


def test_a_broken_card_is_told(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "rdg")
    (folder / "card.json").write_text("{")
    with pytest.raises(UserError, match=r"card\.json"):
        read_card(folder)


@pytest.mark.parametrize("text", ["{", "[" * 200_000, "[]"])
def test_broken_figures_of_a_pipeline_are_told(tmp_path: Path, text: str) -> None:
    root = write_pipeline(tmp_path)
    (root / "metrics" / "retrieval.json").write_text(text)
    with pytest.raises(
        UserError, match=r"retrieval\.json'; got .*; expected (JSON|an object); run `dvc repro`$"
    ):
        read_card(root / "artifacts" / "rdg")


@pytest.mark.parametrize(
    "record",
    [{"stages": 3}, {"stages": {"embed": 3}}, {"stages": {"embed": {"outs": [3]}}}],
)
def test_a_record_of_another_form_is_told(tmp_path: Path, record: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"card of the model .*artifacts/rdg'; got what cannot be"):
        card_of(tmp_path, record)


def test_licences_of_what_the_corpus_holds_are_named(tmp_path: Path, repository: Path) -> None:
    root = write_pipeline(tmp_path)
    parameters = json.loads((root / "params.yaml").read_text())
    parameters["corpus"] = {"kind": "oxford102", "edition": "published"}
    (root / "params.yaml").write_text(json.dumps(parameters))
    (root / "data").symlink_to(repository / "data")
    card = read_card(root / "artifacts" / "rdg")
    assert card["licence"].startswith("that of the corpus (nilsback2008: none stated; for research")
    assert "reed2016" in card["sources"]


def test_a_text_is_spoken_as_the_corpus_was() -> None:
    assert own_voice({"tts": TTS}, "a bird") == ("en-us+m3", 170, 50, "a bird")
    # Other programs that spoke of the corpus need not be here.
    tts = {**TTS, "voices": ["flite/slt", "id+f1", "id"]}
    assert own_voice({"tts": tts}, "a bird") == ("id+f1", 170, 50, "a bird")
    assert own_voice({"tts": {**TTS, "voices": ["flite/slt"]}}, "a bird").voice == "en-us"
    assert own_voice({}, "a bird") == ("en-us", 170, 50, "a bird")


def test_only_recorded_corpora_say_how_recordings_were_levelled() -> None:
    assert own_recordings({"tts": TTS}) is None
    assert own_recordings({}) is None
    config = own_recordings({"tts": {**TTS, "engine": "recorded"}})
    assert config is not None
    assert config.level_dbfs == -26.0
