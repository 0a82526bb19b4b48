"""What a training of SEN asks of its settings and of its corpus."""

from s2igan.errors import UserError
from s2igan.sen.config import SenConfig


def check_trainable(config: SenConfig, *, classes: int, watched: bool, has_classes: bool) -> None:
    """Refuse a run that could not learn or choose.

    Args:
        config: the section ``sen``.
        classes: training classes; training pictures where there are no classes.
        watched: whether validation has at least two.
        has_classes: whether pictures belong to classes.

    Raises:
        UserError: naming the key or the split.
    """
    unit = "classes" if has_classes else "pictures"
    if not (config.matching_loss or config.distinctive_loss):
        raise UserError(
            "sen.matching_loss and sen.distinctive_loss",
            got="both false",
            expected="at least one true",
        )
    if not (config.matching_loss or has_classes):
        raise UserError(
            "sen.matching_loss",
            got="false, on a corpus whose pictures have no classes",
            expected="true, since the distinctive loss tells classes apart",
        )
    if classes < 2:
        raise UserError(f"{unit} of the split train", got=classes, expected="at least 2")
    if config.keep == "best_val" and not watched:
        raise UserError(
            "sen.keep best_val",
            got=f"fewer than 2 validation {unit}",
            expected="at least 2",
            fix="raise corpus.val_classes or keep the last step",
        )
