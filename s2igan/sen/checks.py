"""What a training of SEN asks of its settings and of its corpus."""

from s2igan.errors import UserError
from s2igan.sen.config import SenConfig


def check_readable(config: SenConfig, *, empty: int, descriptions: int) -> None:
    """Refuse a text encoder where descriptions have no text.

    Args:
        config: the section ``sen``.
        empty: descriptions of which the encoder would read nothing.
        descriptions: all of them.

    Raises:
        UserError: naming the key.
    """
    if config.encoder == "char_cnn_rnn" and empty:
        raise UserError(
            "sen.encoder 'char_cnn_rnn'",
            got=f"{empty} of {descriptions} descriptions without text",
            expected="a text for every description",
            fix="choose 'sed' or 'conv_blstm', which hear them",
        )


def check_reach(config: SenConfig, shortest: int, longest: int) -> None:
    """Refuse convolutions for which every description would be padded to twice its length.

    Args:
        config: the section ``sen``.
        shortest: frames or characters that give one output.
        longest: those of the longest description.

    Raises:
        UserError: naming the keys.
    """
    if shortest <= 2 * longest:
        return
    keys, units = "sen.channels, sen.kernel and sen.stride", "frames"
    fix = "lower sen.stride or sen.kernel, or give sen.channels fewer widths"
    if config.encoder == "char_cnn_rnn":  # its kernel and strides are fixed
        keys, units, fix = "sen.channels", "characters", "give sen.channels fewer widths"
    raise UserError(
        keys,
        got=f"convolutions of which one output sees {shortest} {units}",
        expected=f"at most {2 * longest}, twice the longest description",
        fix=fix,
    )


def check_trainable(
    config: SenConfig, *, classes: int, val_classes: int, test_classes: int, has_classes: bool
) -> None:
    """Refuse a run that could not learn or choose.

    Args:
        config: the section ``sen``.
        classes: training classes; training pictures where there are no classes.
        val_classes: likewise.
        test_classes: likewise.
        has_classes: whether pictures belong to classes.

    Raises:
        UserError: naming the key or the split.
    """
    unit = "classes" if has_classes else "pictures"
    if config.objective == "joint" and not (config.matching_loss or has_classes):
        raise UserError(
            "sen.matching_loss",
            got="false, on a corpus whose pictures have no classes",
            expected="true, since the distinctive loss tells classes apart",
        )
    if classes < 2:
        raise UserError(
            f"{unit} of the split train",
            got=classes,
            expected="at least 2",
            fix="lower corpus.val_classes or corpus.test_share, or list more",
        )
    if config.keep == "best_val" and val_classes < 2:
        raise UserError(
            "sen.keep best_val",
            got=f"fewer than 2 validation {unit}",
            expected="at least 2",
            fix="raise corpus.val_classes, list more where an index names them, or set sen.keep to "
            "last",
        )
    if config.keep == "best_test_as_published" and test_classes < 2:
        raise UserError(
            "sen.keep best_test_as_published",
            got=f"fewer than 2 test {unit}",
            expected="at least 2",
            fix="keep the last step",
        )
