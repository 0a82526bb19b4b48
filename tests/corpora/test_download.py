from pathlib import Path

import pytest
import yaml

from s2igan.corpora import download as stage
from s2igan.corpora.config import CorpusConfig, conflicts
from s2igan.corpora.download import download
from s2igan.corpora.index import Corpus
from s2igan.errors import UserError

from .makers import Flowers, folder_bytes, prepare_folder, published


def section(kind: str, edition: str) -> CorpusConfig:
    drawn = {
        "species": 24,
        "drawings_per_train_species": 2,
        "drawings_per_val_species": 2,
        "drawings_per_test_species": 2,
        "reference_drawings": 2,
        "swap_descriptions": 0,
    }
    return CorpusConfig.model_validate(
        {"kind": kind, "edition": edition, "seed": 0, "val_classes": 1, "minibirds": drawn}
    )


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    content = {
        "sources": {"somebody": {"citation": "Somebody 2016", "licence": "MIT"}},
        "networks": {"net/origin": published("net.safetensors")},
    }
    (folder / "weights.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


def run(
    tmp_path: Path, config: CorpusConfig, *, weights: tuple[str, ...] = ("compact", "net/origin")
) -> None:
    download(
        config,
        weights=weights,
        manifests=tmp_path / "data",
        archives=tmp_path / "archives",
        out_corpus=tmp_path / "artifacts" / "corpus",
        out_weights=tmp_path / "artifacts" / "weights",
        workers=1,
    )


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    folder = tmp_path / "archives"
    prepare_folder(folder)
    (folder / "net.safetensors").write_bytes(b"weights")
    return folder


@pytest.mark.usefixtures("manifests", "archives")
def test_a_recorded_corpus_and_the_named_weights(tmp_path: Path) -> None:
    run(tmp_path, section("recorded", "field_notes"))
    assert Corpus(tmp_path / "artifacts" / "corpus").info["images"]["val"] == 2
    assert folder_bytes(tmp_path / "artifacts" / "weights") == {"net.safetensors": b"weights"}


@pytest.mark.usefixtures("manifests", "archives")
def test_the_folder_of_weights_is_there_even_if_empty(tmp_path: Path) -> None:
    run(tmp_path, section("recorded", "field_notes"), weights=("compact", "reader"))
    assert folder_bytes(tmp_path / "artifacts" / "weights") == {}


def test_flowers_come_from_the_manifest_of_their_kind(
    tmp_path: Path, manifests: Path, archives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "conflicts", lambda _: [])  # the tiny edition is in no list
    folder = archives / "oxford102"
    folder.mkdir()
    Flowers().write(folder).rename(manifests / "oxford102.yaml")
    run(tmp_path, section("oxford102", "tiny"))
    info = Corpus(tmp_path / "artifacts" / "corpus").info
    assert (info["kind"], info["edition"]) == ("oxford102", "tiny")


def test_missing_weights_stop_before_the_corpus(
    tmp_path: Path, manifests: Path, archives: Path
) -> None:
    assert manifests.is_dir()
    (archives / "net.safetensors").unlink()
    with pytest.raises(UserError, match=r"net\.safetensors"):
        run(tmp_path, section("recorded", "field_notes"))
    assert not (tmp_path / "artifacts").exists()


def test_a_faulty_corpus_leaves_neither_folder(
    tmp_path: Path, manifests: Path, archives: Path
) -> None:
    assert manifests.is_dir()
    (archives / "recorded" / "field_notes" / "picture_1.jpg").unlink()
    with pytest.raises(UserError, match=r"picture_1\.jpg"):
        run(tmp_path, section("recorded", "field_notes"))
    assert [*(tmp_path / "artifacts").iterdir()] == []


@pytest.mark.parametrize(
    ("kind", "edition", "fits"),
    [
        ("minibirds", "drawn", True),
        ("oxford102", "published", True),
        ("oxford102", "304px", True),
        ("recorded", "any-name.2", True),
        ("minibirds", "304px", False),
        ("oxford102", "drawn", False),
    ],
)
def test_an_edition_belongs_to_its_kind(kind: str, edition: str, fits: bool) -> None:
    told = conflicts(section(kind, edition))
    assert (not told) == fits
    assert all("corpus.edition" in line and edition in line for line in told)


@pytest.mark.usefixtures("manifests", "archives")
def test_a_conflict_stops_the_stage(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"corpus\.edition: got 'drawn'"):
        run(tmp_path, section("oxford102", "drawn"))


@pytest.mark.parametrize("edition", ["", "../elsewhere", "a/b", ".hidden"])
def test_an_edition_is_a_plain_name(edition: str) -> None:
    with pytest.raises(ValueError, match="edition"):
        section("recorded", edition)
