import hashlib
from pathlib import Path

import pytest
import yaml

from s2igan.corpora.archives import Archives
from s2igan.corpora.consumers import write_consumers
from s2igan.corpora.fine_tuning import FineTuning, file_name
from s2igan.corpora.manifest import read_manifest
from s2igan.corpora.weights import (
    WeightsManifest,
    choose_files,
    collect_weights,
    copy_weights,
    for_corpus,
)
from s2igan.engine.strict_yaml import read_yaml
from s2igan.engine.weights import write_weights
from s2igan.errors import UserError

from .makers import folder_bytes, published

CONTENT = b"weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "weights.yaml"
    checksum = {"algorithm": "sha256", "value": SHA256}
    whole = published("whole.pth", note="convert it", checksum=checksum)
    content = {
        "sources": {"somebody": {"citation": "Somebody 2016", "licence": "MIT"}},
        "networks": {
            "net/here": [published("net.safetensors", bytes=len(CONTENT), checksum=checksum)],
            "net/there": [published("other.safetensors")],
            "deep/2015": [
                whole,
                published("half.safetensors", holds=["low", "middle"]),
                published("low.safetensors", holds=["low"]),
            ],
            "judge": [whole],
        },
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture
def archives(tmp_path: Path) -> Archives:
    folder = tmp_path / "archives"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "net.safetensors").write_bytes(CONTENT)
    return Archives((folder,), tmp_path / "store")


def put(archives: Archives, *names: str) -> None:
    for name in names:
        (archives.folders[0] / "weights" / name).write_bytes(CONTENT)


def chosen(manifest: Path, archives: Archives, *names: str) -> dict[str, str]:
    files, found = collect_weights(names, manifest, archives)
    assert {file.name for file in files.values()} == {*found}
    return {name: file.name for name, file in files.items()}


def test_only_the_named_networks_are_looked_for(
    tmp_path: Path, manifest: Path, archives: Archives
) -> None:
    names = ["compact", "net/here", "net/here"]
    _, found = collect_weights(names, manifest, archives)
    assert found == {"net.safetensors": archives.folders[0] / "weights" / "net.safetensors"}
    out = tmp_path / "out"
    out.mkdir()
    copy_weights(found, out)
    assert folder_bytes(out) == {"net.safetensors": CONTENT}


def test_shipped_networks_need_no_archives(manifest: Path, tmp_path: Path) -> None:
    nowhere = Archives((), tmp_path / "nowhere")
    assert collect_weights(["compact", "reader"], manifest, nowhere) == ({}, {})


def test_the_preferred_file_that_lies_there_is_taken(manifest: Path, archives: Archives) -> None:
    name = "deep/2015/low"
    put(archives, "low.safetensors")
    assert chosen(manifest, archives, name) == {name: "low.safetensors"}
    put(archives, "half.safetensors")
    assert chosen(manifest, archives, name) == {name: "half.safetensors"}
    put(archives, "whole.pth")
    assert chosen(manifest, archives, name) == {name: "whole.pth"}


@pytest.mark.parametrize("layers", ["low+middle", "middle"])
def test_a_file_without_a_layer_does_not_serve(
    manifest: Path, archives: Archives, layers: str
) -> None:
    put(archives, "low.safetensors", "half.safetensors")
    name = f"deep/2015/{layers}"
    assert chosen(manifest, archives, name) == {name: "half.safetensors"}


@pytest.mark.parametrize("name", ["deep/2015", "deep/2015/top", "deep/2015/low+top"])
def test_what_only_the_whole_file_holds_asks_for_it(
    manifest: Path, archives: Archives, name: str
) -> None:
    put(archives, "low.safetensors", "half.safetensors")
    with pytest.raises(UserError, match=r"whole\.pth \(convert it\)"):
        collect_weights([name], manifest, archives)


def test_a_file_that_has_to_come_serves_all_that_it_can(manifest: Path, archives: Archives) -> None:
    """Else one stage would list a file and load the other, which lies beside it."""
    put(archives, "half.safetensors")
    facts = read_manifest(manifest, WeightsManifest)
    for names in (["deep/2015/low", "judge"], ["judge", "deep/2015/low"]):
        files = choose_files(names, facts, archives)
        assert {name: file.name for name, file in files.items()} == dict.fromkeys(
            names, "whole.pth"
        )


def test_unknown_networks_are_told_beside_the_known(manifest: Path, archives: Archives) -> None:
    with pytest.raises(UserError) as error:
        collect_weights(["net/elsewhere", "compact"], manifest, archives)
    assert "got net/elsewhere; " in str(error.value)
    assert "compact, reader, deep/2015, judge, net/here, net/there; list" in str(error.value)


def test_missing_weights_are_told(manifest: Path, archives: Archives) -> None:
    with pytest.raises(UserError, match=r"other\.safetensors"):
        collect_weights(["net/here", "net/there"], manifest, archives)


def test_changed_weights_are_told(manifest: Path, archives: Archives) -> None:
    (archives.folders[0] / "weights" / "net.safetensors").write_bytes(b"Weights")
    with pytest.raises(UserError, match="has sha256"):
        collect_weights(["net/here"], manifest, archives)


def test_every_stage_has_its_own_list(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(CONTENT)
    files = {"net/here": "a.pth", "judge": "a.pth"}
    stages = {"tts": [], "features": ["compact", "net/here"], "evaluate": ["judge", "net/here"]}
    write_consumers(tmp_path, files, stages)
    listed = {"file": "a.pth", "checksum": SHA256}
    assert read_yaml(tmp_path / "tts.json") == {}
    assert read_yaml(tmp_path / "features.json") == {"net/here": listed}
    assert read_yaml(tmp_path / "evaluate.json") == {"judge": listed, "net/here": listed}


def put_fine_tuned(archives: Archives, kind: str = "cub") -> None:
    facts = FineTuning(
        backbone="net/here",
        layers="head",
        kind=kind,
        edition="published",
        classes=["Auklet", "Albatross"],
        split="test",
        pictures=9,
        held_out=1,
        accuracy=0.5,
        steps=1,
        batch=1,
        views=1,
        lr=0.1,
        seed=0,
        crop=8,
        size=8,
    )
    path = archives.folders[0] / "weights" / file_name("cub")
    write_weights(path, {}, facts.header())


def test_a_fine_tuned_network_brings_the_one_that_it_began_as(archives: Archives) -> None:
    put_fine_tuned(archives)
    stages = {"tts": [], "features": ["compact"], "evaluate": ["reader", "fine_tuned"]}
    assert for_corpus(stages, "cub", archives) == {
        "tts": [],
        "features": ["compact"],
        "evaluate": ["reader", "fine_tuned/cub", "net/here"],
    }


def test_without_a_fine_tuned_network_nothing_is_added(archives: Archives) -> None:
    put_fine_tuned(archives)
    stages = {"features": ["compact"], "evaluate": ["reader"]}
    assert for_corpus(stages, "cub", archives) == stages


def test_a_fine_tuned_network_of_another_corpus_is_refused(archives: Archives) -> None:
    put_fine_tuned(archives, kind="oxford102")
    with pytest.raises(UserError, match="got one for the corpus oxford102; expected one for cub"):
        for_corpus({"evaluate": ["fine_tuned"]}, "cub", archives)


@pytest.mark.parametrize("kind", ["cub", "oxford102", "minibirds", "recorded"])
def test_a_missing_fine_tuned_network_names_the_command(
    repository: Path, archives: Archives, kind: str
) -> None:
    named = for_corpus({"evaluate": ["fine_tuned"]}, kind, archives)["evaluate"]
    assert named == [f"fine_tuned/{kind}"]
    with pytest.raises(UserError) as error:
        collect_weights(named, repository / "data" / "weights.yaml", archives)
    told = str(error.value)
    assert "\n" not in told
    assert f"put into {str(archives.store / 'weights')!r}: {file_name(kind)} (made by" in told
    assert "python -m s2igan.evaluation.fine_tune --backbone" in told
    # DVC has by then removed the corpus, which the command reads.
    assert "`, after `dvc repro features` with evaluate.is_backbone null" in told


@pytest.mark.real_data
def test_the_real_weights_are_those_of_the_manifest(repository: Path, real_data: Path) -> None:
    names = ["squeezenet1_1/keras", "inception_v3/fid2015/Mixed_6e+Mixed_7a"]
    archives = Archives((real_data,), real_data)
    _, found = collect_weights(names, repository / "data" / "weights.yaml", archives)
    assert [*found] == [
        "squeezenet1_1.notop.safetensors",
        "inception_v3_2015_12_05.to_mixed_7a.safetensors",
    ]
