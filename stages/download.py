"""Write the corpus and the pretrained weights that the parameters name, all of it verified.

Reads the manifests in ``data/`` and the machine's archives, into which it fetches what is missing;
writes ``artifacts/corpus`` and ``artifacts/weights``. Needs no GPU.
"""

from s2igan.config import Params, check_material, read_params
from s2igan.corpora.archives import Archives
from s2igan.corpora.download import download
from s2igan.corpora.weights import SPEAKERS
from s2igan.engine.runtime import read_runtime
from s2igan.engine.session import Session
from s2igan.engine.stage import Paths, Stage


def run(params: Params, paths: Paths, session: Session) -> None:
    """Call the stage's function."""
    runtime, tts = read_runtime(), params.tts
    networks = {
        "tts": SPEAKERS[tts.tacotron2.vocoder] if tts.engine == "tacotron2" else [],
        "features": [*params.features.backbones],
        "evaluate": params.evaluate.networks,
    }
    download(
        params.corpus,
        weights=networks,
        manifests=paths["manifests"],
        archives=Archives(runtime.archive_folders, runtime.archive_store),
        out_corpus=paths["corpus"],
        out_weights=paths["weights"],
        workers=session.workers,
    )
    check_material(params, paths["corpus"])


STAGE = Stage("download", "corpus", ["manifests"], ["corpus", "weights"], read_params, run)

if __name__ == "__main__":
    raise SystemExit(STAGE.main())
