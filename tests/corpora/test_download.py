import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import yaml

from s2igan.config import Params, read_params
from s2igan.corpora import download as stage
from s2igan.corpora.archives import Archives
from s2igan.corpora.config import CorpusConfig, conflicts
from s2igan.corpora.download import download
from s2igan.corpora.index import Corpus
from s2igan.engine.session import Session
from s2igan.engine.strict_yaml import read_yaml
from s2igan.errors import UserError
from stages import download as wire

from .birds import Birds
from .fetching.server import FileServer, Served
from .makers import Flowers, folder_bytes, prepare_folder, published


def section(kind: str, edition: str, *, authors_speech: bool = False) -> CorpusConfig:
    drawn = {
        "language": "english",
        "species": 24,
        "drawings_per_train_species": 2,
        "drawings_per_val_species": 2,
        "drawings_per_test_species": 2,
        "reference_drawings": 2,
        "swap_descriptions": 0,
    }
    return CorpusConfig.model_validate(
        {
            "kind": kind,
            "edition": edition,
            "seed": 0,
            "val_classes": 1,
            "test_share": 0.2,
            "on_broken": "stop",
            "authors_speech": authors_speech,
            "minibirds": drawn,
        }
    )


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    content = {
        "sources": {"somebody": {"citation": "Somebody 2016", "licence": "MIT"}},
        "networks": {"net/origin": [published("net.safetensors")]},
    }
    (folder / "weights.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder


def run(
    tmp_path: Path, config: CorpusConfig, *, features: tuple[str, ...] = ("compact", "net/origin")
) -> None:
    download(
        config,
        weights={"tts": [], "features": features},
        manifests=tmp_path / "data",
        archives=Archives((tmp_path / "archives",), tmp_path / "store"),
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
    listed = {"file": "net.safetensors", "checksum": hashlib.sha256(b"weights").hexdigest()}
    weights = tmp_path / "artifacts" / "weights"
    assert (weights / "net.safetensors").read_bytes() == b"weights"
    assert read_yaml(weights / "features.json") == {"net/origin": listed}
    assert read_yaml(weights / "tts.json") == {}


@pytest.mark.usefixtures("manifests", "archives")
def test_a_kind_that_parameters_can_name_and_nothing_builds_is_told(tmp_path: Path) -> None:
    config = section("recorded", "field_notes").model_copy(update={"kind": "squares"})
    with pytest.raises(AssertionError, match="'squares'"):
        run(tmp_path, config)


@pytest.mark.usefixtures("manifests", "archives")
def test_every_stage_has_a_list_even_if_empty(tmp_path: Path) -> None:
    run(tmp_path, section("recorded", "field_notes"), features=("compact", "reader"))
    assert [*folder_bytes(tmp_path / "artifacts" / "weights")] == ["features.json", "tts.json"]


def test_flowers_come_from_the_manifest_of_their_kind(
    tmp_path: Path, manifests: Path, archives: Path
) -> None:
    folder = archives / "oxford102"
    folder.mkdir()
    Flowers().write(folder).rename(manifests / "oxford102.yaml")
    (folder / "speech.tar.gz").unlink()
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


@pytest.mark.parametrize("edition", ["", "../elsewhere", "a/b", ".hidden"])
def test_an_edition_is_a_plain_name(edition: str) -> None:
    with pytest.raises(ValueError, match="edition"):
        section("recorded", edition)


@pytest.mark.usefixtures("manifests", "archives")
def test_lists_are_written_with_the_weights_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, section("recorded", "field_notes"))
    before = folder_bytes(tmp_path / "artifacts" / "weights")

    def fail(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(stage, "write_consumers", fail)
    with pytest.raises(RuntimeError, match="killed"):
        run(tmp_path, section("recorded", "field_notes"), features=("compact",))
    assert folder_bytes(tmp_path / "artifacts" / "weights") == before


def publish_weights(manifests: Path, archives: Path, server: FileServer) -> Served:
    """Move the weights from the archives to a server."""
    weights = archives / "net.safetensors"
    served = Served(weights.read_bytes())
    weights.unlink()
    content = yaml.safe_load((manifests / "weights.yaml").read_text(encoding="utf-8"))
    content["networks"]["net/origin"][0] |= {
        "address": server.serve(served),
        "checksum": {"algorithm": "md5", "value": hashlib.md5(served.content).hexdigest()},
    }
    (manifests / "weights.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return served


def test_what_is_missing_is_fetched_and_kept_outside_of_the_outputs(
    tmp_path: Path, manifests: Path, archives: Path
) -> None:
    with FileServer() as server:
        served = publish_weights(manifests, archives, server)
        for _ in range(2):
            run(tmp_path, section("recorded", "field_notes"))
    assert folder_bytes(tmp_path / "store" / "weights") == {"net.safetensors": b"weights"}
    assert (tmp_path / "artifacts" / "weights" / "net.safetensors").read_bytes() == b"weights"
    assert len(served.asked) == 1


@pytest.mark.parametrize(
    ("kind", "edition", "told"),
    [
        ("cub", "tiny", r"put into .*cub': cvpr2016_cub\.tar\.gz \(\)$"),
        ("oxford102", "tiny", r"put into .*oxford102': speech\.tar\.gz \(\)$"),
        ("recorded", "field_trips", r"'field_trips'; got no index\.csv"),
    ],
)
def test_no_weights_are_fetched_for_a_corpus_that_cannot_be_had(
    tmp_path: Path, manifests: Path, archives: Path, kind: str, edition: str, told: str
) -> None:
    Birds().write(archives).rename(manifests / "cub.yaml")
    Flowers().write(archives).rename(manifests / "oxford102.yaml")
    for name in ("cvpr2016_cub.tar.gz", "speech.tar.gz"):
        (archives / name).unlink()
    with FileServer() as server:
        served = publish_weights(manifests, archives, server)
        with pytest.raises(UserError, match=told):
            run(tmp_path, section(kind, edition, authors_speech=kind == "oxford102"))
    assert served.asked == []


@pytest.mark.parametrize(
    ("section_of_tts", "tts"),
    [
        ({"engine": "espeak"}, []),
        ({"engine": "tacotron2", "vocoder": "wavernn"}, ["tacotron2/ljspeech", "wavernn/ljspeech"]),
        ({"engine": "tacotron2", "vocoder": "griffinlim"}, ["tacotron2/ljspeech-griffinlim"]),
    ],
)
def test_the_stage_asks_for_what_each_later_stage_loads(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    section_of_tts: dict[str, str],
    tts: list[str],
) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr(wire, "download", lambda _, **options: asked.update(options))
    monkeypatch.setattr(wire, "check_material", lambda _, corpus: asked.update(checked=corpus))
    values = read_params(repository / "params.yaml").model_dump()
    values["tts"]["engine"] = section_of_tts["engine"]
    values["tts"]["tacotron2"]["vocoder"] = section_of_tts.get("vocoder", "wavernn")
    values["features"]["backbones"] = ["compact", "inception_v3/fid2015/Mixed_7a"]
    values["evaluate"]["fidelity_backbone"] = "torch_fidelity/768"
    paths = {name: repository / name for name in ("manifests", "corpus", "weights")}
    wire.run(Params.model_validate(values), paths, cast("Session", SimpleNamespace(workers=1)))
    assert asked["weights"] == {
        "tts": tts,
        "features": ["compact", "inception_v3/fid2015/Mixed_7a"],
        "evaluate": ["reader", "torch_fidelity/768"],
    }
    assert asked["checked"] == paths["corpus"]
