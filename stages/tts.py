"""Speak every description, or pass its recording through.

Reads ``artifacts/corpus``; writes ``artifacts/speech``: mono 16-bit FLAC in Parquet shards of 512
consecutive utterances. Needs no GPU.
"""

from s2igan.config import Params, read_params
from s2igan.engine.session import Session
from s2igan.engine.stage import Paths, Stage
from s2igan.speech.synthesis import speak_corpus


def run(params: Params, paths: Paths, session: Session) -> None:
    """Call the stage's function."""
    speak_corpus(params.tts, corpus=paths["corpus"], out=paths["speech"], workers=session.workers)


STAGE = Stage("tts", "tts", ["corpus"], ["speech"], read_params, run)

if __name__ == "__main__":
    raise SystemExit(STAGE.main())
