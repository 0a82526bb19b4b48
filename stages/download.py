"""Write the corpus and the pretrained weights that the parameters name, all of it verified.

Reads the manifests in ``data/`` and the machine's folder of archives; writes ``artifacts/corpus``
and ``artifacts/weights``. Needs no GPU.
"""

from s2igan.config import Params, read_params
from s2igan.corpora.consumers import write_consumers
from s2igan.corpora.download import download
from s2igan.engine.runtime import read_runtime
from s2igan.engine.session import Session
from s2igan.engine.stage import Paths, Stage


def run(params: Params, paths: Paths, session: Session) -> None:
    """Call the stage's function."""
    networks: dict[str, list[str]] = {
        "features": [*params.features.backbones],
        "evaluate": [params.evaluate.backbone],
    }
    download(
        params.corpus,
        weights=sorted({name for names in networks.values() for name in names}),
        manifests=paths["manifests"],
        archives=read_runtime().archives_folder,
        out_corpus=paths["corpus"],
        out_weights=paths["weights"],
        workers=session.workers,
    )
    write_consumers(paths["weights"], paths["manifests"] / "weights.yaml", networks)


STAGE = Stage("download", "corpus", ["manifests"], ["corpus", "weights"], read_params, run)

if __name__ == "__main__":
    raise SystemExit(STAGE.main())
