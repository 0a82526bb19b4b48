from pathlib import Path

import numpy as np
import torch

from s2igan.engine.session import plain_session


def test_a_plain_session_takes_everything_and_keeps_nothing(tmp_path: Path) -> None:
    session = plain_session()
    assert session.device == torch.device("cpu")
    assert session.workers == 1
    assert not session.progress
    session.tracker.log(1, {"loss": 0.5})
    session.tracker.picture("grid", np.zeros((2, 2, 3), np.uint8), 1)
    session.tracker.file(tmp_path / "absent", "model")
    session.tracker.summary({"mAP": 0.5})
    session.checkpoints.save({"step": 1})
    assert session.checkpoints.load() is None
