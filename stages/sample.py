"""Draw one picture per utterance of a split, the keyword swaps, repeated draws and a control.

Reads ``artifacts/{corpus,features,rdg}``; writes ``artifacts/samples``. A GPU speeds it up.
"""

from s2igan.config import Params, read_params
from s2igan.engine.session import Session
from s2igan.engine.stage import Paths, Stage
from s2igan.rdg.sample import sample


def run(params: Params, paths: Paths, session: Session) -> None:
    """Call the stage's function."""
    sample(
        params.sample,
        corpus=paths["corpus"],
        features=paths["features"],
        rdg=paths["rdg"],
        out=paths["samples"],
        session=session,
    )


INPUTS = ["corpus", "features", "rdg"]
STAGE = Stage("sample", "sample", INPUTS, ["samples"], read_params, run, uses_device=True)

if __name__ == "__main__":
    raise SystemExit(STAGE.main())
