"""The whole path from samples to figures against torch-fidelity on folders of PNG files."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch_fidelity
from torch import Tensor

from s2igan.evaluation.fidelity import fidelity_figures
from s2igan.evaluation.networks import load_judge
from tests.evaluation.world import full, png_folder, settings


class ReaderExtractor(torch_fidelity.FeatureExtractorBase):  # type: ignore[misc]
    """MiniBirds' reader as torch-fidelity takes networks: whole pictures in, layers out."""

    def __init__(self, name: str, features_list: list[str], **_: Any) -> None:
        super().__init__(name, features_list)
        self.network = load_judge("reader", Path())

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return ("pool", "belly")

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "belly" if metric == "isc" else "pool"

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        seen = self.network(pictures.float() / 255)
        assert seen.logits is not None
        layers = {"pool": seen.features.double(), "belly": seen.logits["belly"].double()}
        return tuple(layers[name] for name in self.features_list)


torch_fidelity.register_feature_extractor("tests-reader", ReaderExtractor)


def test_figures_are_those_of_the_files(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    judged = world.judged(load_judge("reader", tmp_path))
    material = judged.material
    config = settings(is_splits=1, kid_subsets=3, kid_subset_size=12)
    ours: dict[str, Any] = fidelity_figures(judged, config)["generated"]  # type: ignore[assignment]
    with torch.inference_mode():
        theirs: dict[str, float] = torch_fidelity.calculate_metrics(
            input1=png_folder(tmp_path / "drawn", material.drawn(material.drawn_captions)),
            input2=png_folder(tmp_path / "real", material.real(material.reference()[0])),
            feature_extractor="tests-reader",
            feature_layer_isc="belly",
            feature_layer_fid="pool",
            feature_layer_kid="pool",
            isc=True,
            fid=True,
            kid=True,
            isc_splits=1,
            kid_subsets=3,
            kid_subset_size=12,
            rng_seed=config.seed,
            cuda=False,
            cache=False,
            save_cpu_ram=True,
            batch_size=8,
            verbose=False,
        )
    assert ours["IS"]["value"] == pytest.approx(theirs["inception_score_mean"], rel=1e-4)
    assert ours["FID"]["value"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    assert ours["KID"]["value"] == pytest.approx(
        theirs["kernel_inception_distance_mean"], rel=1e-3, abs=1e-6
    )
    assert ours["FID"]["value"] > 0
