"""Figures of pictures that another model drew, by the protocol of the pipeline's own."""

from collections.abc import Sequence
from pathlib import Path

from s2igan.config import read_params
from s2igan.engine.device import choose_device
from s2igan.engine.runtime import repository_root
from s2igan.engine.session import plain_session
from s2igan.errors import UserError
from s2igan.evaluation.evaluate import evaluate
from s2igan.evaluation.report import format_report

_INPUTS = ("corpus", "features", "embeddings", "sen", "weights")


def score(samples: Path, out: Path) -> str:
    """Judge a folder of samples with ``params.yaml`` and the artifacts of the repository.

    Args:
        samples: ``images.npy``, ``(n, S, S, 3)`` uint8; ``samples.parquet``, what each picture was
            drawn of; and ``samples.json`` with ``split``, ``captions_per_picture`` and ``by``.
        out: receives ``generation.json``, ``classes.tsv`` and ``plots``.

    Returns:
        The figures as ``s2igan report`` prints them.

    Raises:
        OSError: if ``out`` cannot be written; before anything is computed.
        UserError: if one stands in no repository of the pipeline, or ``out`` is no folder of its
            own, or as :func:`s2igan.evaluation.evaluate.evaluate`.
    """
    root = repository_root()
    if not (root / "params.yaml").exists():
        raise UserError(
            f"folder {str(root)!r}",
            got="no params.yaml",
            expected="a repository in which `make repro` has run",
            fix="go there",
        )
    inputs = {name: root / "artifacts" / name for name in _INPUTS}
    _check_out(out, root, [*inputs.values(), root / "artifacts" / "samples"])
    (out / "plots").mkdir(parents=True, exist_ok=True)  # refused now, not after the figures
    evaluate(
        read_params(root / "params.yaml").evaluate,
        **inputs,
        samples=samples,
        metrics=out / "generation.json",
        classes=out / "classes.tsv",
        plots=out / "plots",
        session=plain_session(choose_device().type),
    )
    return format_report(out)


def _check_out(out: Path, root: Path, stages: Sequence[Path]) -> None:
    """Refuse a folder whose files the pipeline's own figures, plots or outputs are."""
    place = out.resolve()
    own = any(place.is_relative_to(folder.resolve()) for folder in stages)
    if place in (root, root / "metrics") or own:
        got = "a folder that stages write to"
    elif out.exists() and not out.is_dir():
        got = "a file"
    else:
        return
    raise UserError(
        f"folder {str(out)!r}", got=got, expected="a folder for these figures", fix="name another"
    )
