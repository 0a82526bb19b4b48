"""Judge the drawn pictures (paper §2.4 and Fig. 3).

Reads ``artifacts/{corpus,features,embeddings,samples,sen,weights}``; writes figures and grids.
"""

from s2igan.config import Params, read_params
from s2igan.engine.session import Session
from s2igan.engine.showcase import show_all
from s2igan.engine.stage import Paths, Stage
from s2igan.evaluation.evaluate import evaluate

INPUTS = ["corpus", "features", "embeddings", "samples", "sen", "weights"]
OUTPUTS = ["metrics", "classes", "plots"]


def run(params: Params, paths: Paths, session: Session) -> None:
    """Call the stage's function and show the whole variant in its run."""
    evaluate(
        params.evaluate,
        **{name: paths[name] for name in [*INPUTS, *OUTPUTS]},
        session=session,
    )
    show_all(session.tracker, paths["metrics"], paths["plots"])


STAGE = Stage(
    name="evaluate",
    section="evaluate",
    inputs=INPUTS,
    outputs=OUTPUTS,
    read_params=read_params,
    run=run,
    uses_device=True,
    all_params=True,
)

if __name__ == "__main__":
    raise SystemExit(STAGE.main())
