import hashlib
from pathlib import Path

import pytest
import yaml

from s2igan.corpora.weights import copy_weights, locate_weights
from s2igan.errors import UserError

from .makers import published

CONTENT = b"weights"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "weights.yaml"
    checksum = {"algorithm": "sha256", "value": hashlib.sha256(CONTENT).hexdigest()}
    content = {
        "sources": {"somebody": {"citation": "Somebody 2016", "licence": "MIT"}},
        "networks": {
            "net/here": published("net.safetensors", bytes=len(CONTENT), checksum=checksum),
            "net/there": published("other.safetensors"),
        },
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    folder = tmp_path / "archives"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "net.safetensors").write_bytes(CONTENT)
    return folder


def test_only_the_named_networks_are_looked_for(
    tmp_path: Path, manifest: Path, archives: Path
) -> None:
    found = locate_weights(["compact", "net/here", "net/here"], manifest, archives)
    assert found == {"net.safetensors": archives / "weights" / "net.safetensors"}
    out = tmp_path / "out"
    out.mkdir()
    copy_weights(found, out)
    assert (out / "net.safetensors").read_bytes() == CONTENT


def test_shipped_networks_need_no_archives(manifest: Path) -> None:
    assert locate_weights(["compact", "reader"], manifest, None) == {}


def test_unknown_networks_are_told_beside_the_known(manifest: Path, archives: Path) -> None:
    with pytest.raises(UserError) as error:
        locate_weights(["net/elsewhere", "compact"], manifest, archives)
    assert "got net/elsewhere; " in str(error.value)
    assert "compact, reader, net/here, net/there" in str(error.value)


def test_missing_weights_are_told(manifest: Path, archives: Path) -> None:
    with pytest.raises(UserError, match=r"other\.safetensors \(https://example\.org/"):
        locate_weights(["net/here", "net/there"], manifest, archives)


def test_changed_weights_are_told(manifest: Path, archives: Path) -> None:
    (archives / "weights" / "net.safetensors").write_bytes(b"Weights")
    with pytest.raises(UserError, match="has sha256"):
        locate_weights(["net/here"], manifest, archives)


@pytest.mark.real_data
def test_the_real_weights_are_those_of_the_manifest(repository: Path, real_data: Path) -> None:
    found = locate_weights(["squeezenet1_1/keras"], repository / "data" / "weights.yaml", real_data)
    assert [*found] == ["squeezenet1_1.notop.safetensors"]
