"""Train the speech and the image encoder (paper §2.2).

Reads ``artifacts/corpus`` and ``artifacts/features``; writes ``artifacts/sen`` and the curves of
its losses. Resumes after an interruption; a GPU speeds it up.
"""

from s2igan.config import Params, read_params
from s2igan.engine.session import Session
from s2igan.engine.stage import Paths, Stage
from s2igan.sen.train import train_sen


def run(params: Params, paths: Paths, session: Session) -> None:
    """Call the stage's function."""
    train_sen(
        params.sen,
        corpus=paths["corpus"],
        features=paths["features"],
        out=paths["sen"],
        curves=paths["curves"],
        session=session,
    )


STAGE = Stage(
    name="train_sen",
    section="sen",
    inputs=["corpus", "features"],
    outputs=["sen", "curves"],
    read_params=read_params,
    run=run,
    uses_device=True,
    resumes=True,
)

if __name__ == "__main__":
    raise SystemExit(STAGE.main())
