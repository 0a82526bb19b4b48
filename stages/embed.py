"""Embed every utterance and every view of a picture, and measure how they find each other.

Reads ``artifacts/corpus``, ``artifacts/features`` and ``artifacts/sen``; writes
``artifacts/embeddings`` and the retrieval figures. A GPU speeds it up.
"""

from s2igan.config import Params, read_params
from s2igan.engine.session import Session
from s2igan.engine.stage import Paths, Stage
from s2igan.sen.embed import embed


def run(params: Params, paths: Paths, session: Session) -> None:
    """Call the stage's function."""
    embed(
        params.embed,
        corpus=paths["corpus"],
        features=paths["features"],
        sen=paths["sen"],
        out=paths["embeddings"],
        metrics=paths["metrics"],
        session=session,
    )


STAGE = Stage(
    name="embed",
    section="embed",
    inputs=["corpus", "features", "sen"],
    outputs=["embeddings", "metrics"],
    read_params=read_params,
    run=run,
    uses_device=True,
)

if __name__ == "__main__":
    raise SystemExit(STAGE.main())
