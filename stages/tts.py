"""Speak every description, or pass its recording through.

Reads ``artifacts/corpus`` and ``artifacts/weights``; writes ``artifacts/speech``: mono 16-bit FLAC
in Parquet shards of 512 consecutive utterances. A GPU speeds the engine ``tacotron2`` up. Its
finished shards, and those of other programs than espeak-ng, outlive a kill.
"""

from s2igan.config import Params, read_params
from s2igan.engine.runtime import state_folder
from s2igan.engine.session import Session
from s2igan.engine.stage import Paths, Stage
from s2igan.speech.synthesis import speak_corpus


def run(params: Params, paths: Paths, session: Session) -> None:
    """Call the stage's function."""
    speak_corpus(
        params.tts,
        corpus=paths["corpus"],
        weights=paths["weights"],
        out=paths["speech"],
        device=session.chosen,
        workers=session.workers,
        kept=state_folder() / "checkpoints",
    )


STAGE = Stage(
    name="tts",
    section="tts",
    inputs=["corpus", "weights"],
    outputs=["speech"],
    read_params=read_params,
    run=run,
    uses_device=lambda params: params.tts.engine == "tacotron2",
)

if __name__ == "__main__":
    raise SystemExit(STAGE.main())
