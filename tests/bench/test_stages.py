from pathlib import Path

import yaml

from bench.stages import scaled_params
from s2igan.config import read_params


def test_the_parameters_of_a_scaled_corpus_are_valid(repository: Path, tmp_path: Path) -> None:
    values = yaml.safe_load((repository / "params.yaml").read_text())
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(scaled_params(values, 4)))
    assert read_params(path).corpus.minibirds.drawings_per_train_species == 8
