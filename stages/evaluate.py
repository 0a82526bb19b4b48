"""Judge the drawn pictures (paper §2.4 and Fig. 3).

Reads ``artifacts/{corpus,features,embeddings,samples,weights}``; writes the figures and the grids.
A GPU speeds it up.
"""

from s2igan.config import Params, read_params
from s2igan.engine.session import Session
from s2igan.engine.stage import Paths, Stage
from s2igan.evaluation.evaluate import evaluate

INPUTS = ["corpus", "features", "embeddings", "samples", "weights"]


def run(params: Params, paths: Paths, session: Session) -> None:
    """Call the stage's function."""
    evaluate(
        params.evaluate,
        **{name: paths[name] for name in INPUTS},
        metrics=paths["metrics"],
        plots=paths["plots"],
        session=session,
    )


STAGE = Stage(
    name="evaluate",
    section="evaluate",
    inputs=INPUTS,
    outputs=["metrics", "plots"],
    read_params=read_params,
    run=run,
    uses_device=True,
    all_params=True,
)

if __name__ == "__main__":
    raise SystemExit(STAGE.main())
