from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from s2igan.corpora.config import EDITIONS
from s2igan.corpora.cub import CubManifest
from s2igan.corpora.manifest import Checksum, read_manifest
from s2igan.corpora.oxford102 import Oxford102Manifest
from s2igan.corpora.weights import SPEAKERS, WeightsManifest
from s2igan.errors import UserError

from .makers import published


def weights_manifest(folder: Path, **facts: object) -> Path:
    path = folder / "weights.yaml"
    content = {
        "sources": {"somebody": {"citation": "Somebody 2016", "licence": "MIT"}},
        "networks": {"net/origin": [published("net.safetensors", **facts)]},
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def test_the_shipped_manifests_are_sound(repository: Path) -> None:
    flowers = read_manifest(repository / "data" / "oxford102.yaml", Oxford102Manifest)
    assert {*flowers.editions} == {*EDITIONS["oxford102"]} == {"published", "304px"}
    birds = read_manifest(repository / "data" / "cub.yaml", CubManifest)
    assert {*birds.editions} == {*EDITIONS["cub"]} == {"published"}
    assert len(flowers.dropped_captions) == 13
    assert {quirk.text for quirk in flowers.dropped_captions} == {"{}"}
    assert flowers.test_classes == list(range(1, 21))
    counts = flowers.counts
    assert counts.train_images + counts.test_images == counts.images == 8189
    assert counts.images * counts.captions_per_image - 13 == counts.utterances == 81877
    weights = read_manifest(repository / "data" / "weights.yaml", WeightsManifest)
    named = {name: [file.name for file in files] for name, files in weights.networks.items()}
    assert named["squeezenet1_1/keras"] == ["squeezenet1_1.notop.safetensors"]
    assert named["torch_fidelity"] == named["inception_v3/fid2015"][:1]
    assert {"inception_v3/torchvision", "squeezenet1_1/torchvision"} < {*named}
    assert {name for names in SPEAKERS.values() for name in names} < {*named}


def test_every_wrong_key_is_told_at_once(tmp_path: Path) -> None:
    path = weights_manifest(tmp_path, bytes="many", colour="red", name="../net")
    with pytest.raises(UserError) as error:
        read_manifest(path, WeightsManifest)
    for key in ("bytes", "colour", "name"):
        assert f"networks.net/origin.0.{key}: " in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        read_manifest(tmp_path / "nowhere.yaml", WeightsManifest)


SHA256 = {"algorithm": "sha256", "value": "0" * 64}


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/net",
        "s3://bucket/folder/net",
        "https://drive.google.com/open?id=0B0yw&resourcekey=0-Av8z",
        None,
    ],
)
def test_addresses_of_every_kind_are_read(tmp_path: Path, address: str | None) -> None:
    mirrors = ["s3://mirror/net"]
    path = weights_manifest(tmp_path, address=address, mirrors=mirrors)
    (file,) = read_manifest(path, WeightsManifest).networks["net/origin"]
    assert file.addresses == [*([address] if address else []), *mirrors]


@pytest.mark.parametrize("address", ["ftp://example.org/net", "example.org/net", "s3://bucket", ""])
@pytest.mark.parametrize("key", ["address", "mirrors"])
def test_other_addresses_are_refused(tmp_path: Path, key: str, address: str) -> None:
    path = weights_manifest(tmp_path, **{key: address if key == "address" else [address]})
    with pytest.raises(UserError, match=key):
        read_manifest(path, WeightsManifest)


@pytest.mark.parametrize("facts", [{"address": "http://a.org/b"}, {"mirrors": ["http://a.org/b"]}])
def test_an_address_without_encryption_needs_a_checksum(
    tmp_path: Path, facts: dict[str, object]
) -> None:
    with pytest.raises(UserError, match="http:// without a checksum"):
        read_manifest(weights_manifest(tmp_path, **facts), WeightsManifest)
    read_manifest(weights_manifest(tmp_path, checksum=SHA256, **facts), WeightsManifest)


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("md5", "0" * 31),
        ("md5", "0" * 64),
        ("sha256", "0" * 32),
        ("sha256_prefix", "0" * 7),
        ("sha256_prefix", "0" * 64),
        ("md5", "G" * 32),
        ("sha1", "0"),
    ],
)
def test_a_checksum_of_another_length_is_refused(algorithm: str, value: str) -> None:
    with pytest.raises(ValidationError):
        Checksum.model_validate({"algorithm": algorithm, "value": value})


def sources_in(value: object) -> Iterator[str]:
    """Yield the source of every file that a manifest lists."""
    if isinstance(value, dict):
        if "checksum" in value:
            yield value["source"]
        value = [*value.values()]
    for item in value if isinstance(value, list) else ():
        yield from sources_in(item)


@pytest.mark.parametrize("name", ["cub", "oxford102", "weights"])
def test_the_source_of_every_file_is_described(repository: Path, name: str) -> None:
    manifest = yaml.safe_load((repository / "data" / f"{name}.yaml").read_text(encoding="utf-8"))
    named = [*sources_in(manifest)]
    assert named
    assert {*named} <= manifest["sources"].keys()
