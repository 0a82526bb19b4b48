"""Train the generator, its discriminators and the relation supervisor (paper §2.3).

Reads ``artifacts/{corpus,features,embeddings,sen,weights}``; writes ``artifacts/rdg``, the curves
of its losses and a grid over the course of training. Resumes; a GPU speeds it up.
"""

from s2igan.config import Params, read_params
from s2igan.engine.session import Session
from s2igan.engine.stage import Paths, Stage
from s2igan.rdg.train import train_rdg

INPUTS = ["corpus", "features", "embeddings", "sen", "weights"]


def run(params: Params, paths: Paths, session: Session) -> None:
    """Call the stage's function."""
    train_rdg(
        params.rdg,
        **{name: paths[name] for name in INPUTS},
        out=paths["rdg"],
        curves=paths["curves"],
        grid=paths["grid"],
        session=session,
    )


STAGE = Stage(
    name="train_rdg",
    section="rdg",
    inputs=INPUTS,
    outputs=["rdg", "curves", "grid"],
    read_params=read_params,
    run=run,
    uses_device=True,
    resumes=True,
)

if __name__ == "__main__":
    raise SystemExit(STAGE.main())
