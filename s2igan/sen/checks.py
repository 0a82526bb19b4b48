"""What a training of SEN asks of its settings and of its corpus."""

from s2igan.errors import UserError
from s2igan.sen.config import SenConfig
from s2igan.sen.conv_blstm import WIDTHS
from s2igan.sen.data import SenData
from s2igan.sen.encoder import DescriptionEncoder


def check_readable(config: SenConfig, data: SenData) -> None:
    """Refuse a text encoder where descriptions have no text, and widths that nothing has.

    Raises:
        UserError: naming the key.
    """
    silent = int((data.sequences.lengths == 0).sum())
    if config.encoder == "char_cnn_rnn" and silent:
        raise UserError(
            "sen.encoder 'char_cnn_rnn'",
            got=f"{silent} of {len(data.sequences)} descriptions without text",
            expected="a text for every description",
            fix="choose 'sed' or 'conv_blstm', which hear them",
        )
    if config.encoder == "conv_blstm" and len(config.channels) > WIDTHS:
        raise UserError(
            "sen.channels",
            got=f"{len(config.channels)} widths",
            expected=f"at most {WIDTHS}, since conv_blstm has no more",
        )


def check_reach(encoder: DescriptionEncoder, longest: int) -> None:
    """Refuse convolutions for which every description would be padded to twice its length.

    Raises:
        UserError: naming the keys.
    """
    if encoder.shortest > 2 * longest:
        raise UserError(
            "sen.channels, sen.kernel and sen.stride",
            got=f"convolutions of which one output sees {encoder.shortest} frames or characters",
            expected=f"at most {2 * longest}, twice the longest description",
            fix="lower sen.stride or sen.kernel, or give sen.channels fewer widths",
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
        raise UserError(f"{unit} of the split train", got=classes, expected="at least 2")
    if config.keep == "best_val" and val_classes < 2:
        raise UserError(
            "sen.keep best_val",
            got=f"fewer than 2 validation {unit}",
            expected="at least 2",
            fix="raise corpus.val_classes or keep the last step",
        )
    if config.keep == "best_test_as_published" and test_classes < 2:
        raise UserError(
            "sen.keep best_test_as_published",
            got=f"fewer than 2 test {unit}",
            expected="at least 2",
            fix="keep the last step",
        )
