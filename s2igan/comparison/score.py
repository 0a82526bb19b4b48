"""Figures of pictures that another model drew, by the protocol of the pipeline's own."""

from pathlib import Path

from s2igan.config import read_params
from s2igan.engine.device import choose_device
from s2igan.engine.runtime import repository_root
from s2igan.engine.session import plain_session
from s2igan.evaluation.evaluate import evaluate
from s2igan.evaluation.report import format_report


def score(samples: Path, out: Path) -> str:
    """Judge a folder of samples with ``params.yaml`` and the artifacts of the repository.

    Args:
        samples: ``images.npy``, ``(n, S, S, 3)`` uint8; ``samples.parquet``, what each picture was
            drawn of; and ``samples.json`` with ``split``, ``captions_per_picture`` and ``by``.
        out: receives ``generation.json``, ``classes.tsv`` and ``plots``.

    Returns:
        The figures as ``s2igan report`` prints them.

    Raises:
        UserError: as :func:`s2igan.evaluation.evaluate.evaluate`.
    """
    root = repository_root()
    artifacts = root / "artifacts"
    evaluate(
        read_params(root / "params.yaml").evaluate,
        corpus=artifacts / "corpus",
        features=artifacts / "features",
        embeddings=artifacts / "embeddings",
        samples=samples,
        sen=artifacts / "sen",
        weights=artifacts / "weights",
        metrics=out / "generation.json",
        classes=out / "classes.tsv",
        plots=out / "plots",
        session=plain_session(choose_device().type),
    )
    return format_report(out)
