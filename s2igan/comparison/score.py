"""Figures of pictures that another model drew, by the protocol of the pipeline's own."""

from pathlib import Path

from s2igan.comparison.pipeline import read_pipeline
from s2igan.config import read_params
from s2igan.engine.device import choose_device
from s2igan.engine.runtime import repository_root
from s2igan.engine.session import plain_session
from s2igan.errors import UserError
from s2igan.evaluation.evaluate import evaluate

_INPUTS = ("corpus", "features", "embeddings", "sen", "weights")


def score(samples: Path, out: Path) -> None:
    """Judge a folder of samples with ``params.yaml`` and the artifacts of the repository.

    Args:
        samples: ``images.npy``, ``(n, S, S, 3)`` uint8; ``samples.parquet``, what each picture was
            drawn of; and ``samples.json`` with ``split``, ``captions_per_picture`` and ``by``.
        out: receives ``generation.json``, ``classes.tsv`` and ``plots``.

    Raises:
        OSError: if ``out`` cannot be written; before anything is computed.
        UserError: if one stands in no repository of the pipeline, or ``out`` is no folder of its
            own, or as :func:`s2igan.comparison.pipeline.read_pipeline` or
            :func:`s2igan.evaluation.evaluate.evaluate`.
    """
    root = repository_root()
    if not (root / "params.yaml").exists():
        raise UserError(
            f"folder {str(root)!r}",
            got="no params.yaml",
            expected="a repository in which `make repro` has run",
            fix="go there",
        )
    _check_out(out, root)
    (out / "plots").mkdir(parents=True, exist_ok=True)  # refused now, not after the figures
    evaluate(
        read_params(root / "params.yaml").evaluate,
        **{name: root / "artifacts" / name for name in _INPUTS},
        samples=samples,
        metrics=out / "generation.json",
        classes=out / "classes.tsv",
        plots=out / "plots",
        session=plain_session(choose_device().type),
    )


def _check_out(out: Path, root: Path) -> None:
    """Refuse a folder that is, lies in or holds an output of the pipeline, and a file."""
    place = out.resolve()
    stages = read_pipeline(root / "dvc.yaml")
    outputs = [(root / path).resolve() for stage in stages for path in stage.outs]
    if any(place.is_relative_to(own) or own.is_relative_to(place) for own in outputs):
        got = "a folder that stages write to"
    elif out.exists() and not out.is_dir():
        got = "a file"
    else:
        return
    raise UserError(
        f"folder {str(out)!r}", got=got, expected="a folder for these figures", fix="name another"
    )
