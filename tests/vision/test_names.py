from pathlib import Path

import pytest
import yaml

from s2igan.vision.backbones import BACKBONES
from s2igan.vision.inception import EDITIONS
from s2igan.vision.names import (
    FINE_TUNED,
    LAYERS,
    check_backbone,
    check_classifier,
    check_judge,
    parse_backbone,
)
from s2igan.vision.weight_files import WEIGHT_FILES


@pytest.mark.parametrize(
    ("name", "network", "layers", "shortest"),
    [
        ("compact", "compact", ("pool",), "compact"),
        ("inception_v3/fid2015", "inception_v3/fid2015", ("pool",), "inception_v3/fid2015"),
        ("inception_v3/fid2015/pool", "inception_v3/fid2015", ("pool",), "inception_v3/fid2015"),
        (
            "inception_v3/torchvision/Mixed_7a+Mixed_6e",
            "inception_v3/torchvision",
            ("Mixed_7a", "Mixed_6e"),
            "inception_v3/torchvision/Mixed_7a+Mixed_6e",
        ),
        ("torch_fidelity/768", "torch_fidelity", ("768",), "torch_fidelity/768"),
        ("torch_fidelity", "torch_fidelity", ("2048",), "torch_fidelity"),
    ],
)
def test_names_are_taken_apart_and_put_together(
    name: str, network: str, layers: tuple[str, ...], shortest: str
) -> None:
    parsed = parse_backbone(name)
    assert parsed == (network, layers)
    assert str(parsed) == shortest
    assert parse_backbone(shortest) == parsed


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "one of compact, reader"),
        ("vgg16", "one of compact, reader"),
        ("inception_v3", "one of compact, reader"),
        ("inception_v3/fid2015/", "layers of inception_v3/fid2015, each once: Mixed_6e, Mixed_7a"),
        ("inception_v3/fid2015/Mixed_5d", "layers of inception_v3/fid2015"),
        ("inception_v3/fid2015/Mixed_6e+", "layers of inception_v3/fid2015"),
        ("inception_v3/fid2015/Mixed_6e+Mixed_6e", "layers of inception_v3/fid2015, each once"),
        ("torch_fidelity/64", "layers of torch_fidelity, each once: 768, 2048"),
    ],
)
def test_of_wrong_names_is_said_what_is_expected(name: str, expected: str) -> None:
    with pytest.raises(ValueError, match=f"^{expected}"):
        parse_backbone(name)


def test_training_looks_through_no_judge() -> None:
    for name in ("reader", "torch_fidelity/768"):
        assert check_judge(name) == name
        with pytest.raises(ValueError, match=r"^one of .* judges in evaluation") as caught:
            check_backbone(name)
        assert "reader," not in str(caught.value)
    with pytest.raises(ValueError, match=r"^one of compact, squeezenet"):
        check_backbone("vgg16")
    assert check_backbone("inception_v3/fid2015/pool") == "inception_v3/fid2015"


def test_a_fine_tuned_network_serves_the_inception_score_alone() -> None:
    assert check_classifier(FINE_TUNED) == FINE_TUNED
    assert check_classifier("inception_v3/fid2015/pool") == "inception_v3/fid2015"
    for check in (check_backbone, check_judge, parse_backbone):
        with pytest.raises(
            ValueError, match=r"the inception score alone, as evaluate\.is_backbone"
        ):
            check(FINE_TUNED)
    with pytest.raises(ValueError, match=r"^fine_tuned, or one of compact, reader"):
        check_classifier("vgg16")


def test_every_name_has_a_network_and_every_network_a_file() -> None:
    squeezenets = {"squeezenet1_1/keras", "squeezenet1_1/torchvision"}
    assert {"compact", "reader", *squeezenets, *EDITIONS} == {*BACKBONES}
    assert {"compact", "reader", *WEIGHT_FILES} == LAYERS.keys()


def test_the_manifest_lists_the_files_of_every_network_in_the_same_order(repository: Path) -> None:
    networks = yaml.safe_load((repository / "data" / "weights.yaml").read_text("utf-8"))["networks"]
    for network, files in WEIGHT_FILES.items():
        assert [file["name"] for file in networks[network]] == list(files), network
