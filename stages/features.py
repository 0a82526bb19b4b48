"""Compute log-mel frames, packed pixels, backbone features and characters once for all.

Reads ``artifacts/corpus``, ``artifacts/speech`` and ``artifacts/weights``; writes
``artifacts/features``. A GPU speeds the backbones up.
"""

from s2igan.config import Params, read_params
from s2igan.engine.distributed import first_folder
from s2igan.engine.session import Session
from s2igan.engine.stage import Paths, Stage
from s2igan.speech.features import write_mel
from s2igan.vision.features import write_vision


def run(params: Params, paths: Paths, session: Session) -> None:
    """Call the speech's and the vision's function on one folder."""
    config, corpus, workers = params.features, paths["corpus"], session.workers
    with first_folder(paths["features"]) as out:
        write_mel(config.mel, corpus=corpus, speech=paths["speech"], out=out, workers=workers)
        write_vision(
            config,
            corpus=corpus,
            weights=paths["weights"],
            out=out,
            device=session.device,
            workers=workers,
        )


INPUTS = ["corpus", "speech", "weights"]
STAGE = Stage("features", "features", INPUTS, ["features"], read_params, run, uses_device=True)

if __name__ == "__main__":
    raise SystemExit(STAGE.main())
