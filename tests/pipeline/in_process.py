"""The stages in this process, which spares each of them the seconds that its start takes."""

from pathlib import Path

from s2igan.config import Params
from s2igan.engine.session import plain_session
from stages import download, embed, evaluate, features, sample, train_rdg, train_sen, tts
from tests.pipeline.conftest import ROOT

ARTIFACTS = ("corpus", "weights", "speech", "features", "sen", "embeddings", "rdg", "samples")
STAGES = (download, tts, features, train_sen, embed, train_rdg, sample, evaluate)


def run_stages(params: Params, root: Path, *, first: str = "download") -> None:
    """Run the stages from ``first`` on in the folder ``root``."""
    paths = {name: root / "artifacts" / name for name in ARTIFACTS}
    paths |= {"manifests": ROOT / "data", "plots": root / "plots", "grid": root / "grid.png"}
    paths["classes"] = root / "classes.tsv"
    names = [stage.__name__.removeprefix("stages.") for stage in STAGES]
    for name, stage in [*zip(names, STAGES, strict=True)][names.index(first) :]:
        files = {"metrics": root / f"{name}.json", "curves": root / f"{name}.tsv"}
        stage.run(params, paths | files, plain_session())
