"""``params.yaml`` as one typed object; the rooms hold their own sections, this module puts them
together and tells everything that is wrong with a file at once.
"""

import json
from pathlib import Path

from pydantic import Field, ValidationError

from s2igan.corpora.config import CorpusConfig
from s2igan.corpora.config import conflicts as corpus_conflicts
from s2igan.engine.section import Section, field_problems
from s2igan.engine.strict_yaml import read_yaml
from s2igan.errors import UserError
from s2igan.evaluation.config import EvaluateConfig, check_counts, fitted, picture_sets
from s2igan.rdg.config import RdgConfig, SampleConfig
from s2igan.sen.checks import check_readable, check_trainable
from s2igan.sen.config import CONV_BLSTM_WIDTHS, EmbedConfig, SenConfig
from s2igan.speech.config import MelConfig, TtsConfig, mel_conflicts, voice_conflicts
from s2igan.vision.config import VisionConfig


class FeaturesConfig(VisionConfig):
    """What is computed once per utterance and per picture."""

    mel: MelConfig = Field(description="the log-mel front end")


class Params(Section):
    """One experiment."""

    corpus: CorpusConfig
    tts: TtsConfig
    features: FeaturesConfig
    sen: SenConfig
    embed: EmbedConfig
    rdg: RdgConfig
    sample: SampleConfig
    evaluate: EvaluateConfig


def read_params(path: Path) -> Params:
    """Read and check a whole file of parameters.

    Raises:
        UserError: naming every key that is unknown, missing, of a wrong type or out of range, or,
            once all keys are valid, every combination that does not go together.
    """
    values = read_yaml(path)
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        raise UserError(_told(path, field_problems(error))) from error
    if problems := combination_problems(params):
        raise UserError(_told(path, problems))
    return params


def check_material(params: Params, corpus: Path) -> None:
    """Refuse what only later stages would miss in a corpus, before anything is made of it.

    Args:
        params: all of them.
        corpus: ``artifacts/corpus``.

    Raises:
        UserError: naming the key.
    """
    _check_sen(params.sen, corpus)
    info = json.loads((corpus / "corpus.json").read_text("utf-8"))
    images, split = info["images"], params.sample.split
    if split not in images:
        raise UserError(
            "sample.split",
            got=repr(split),
            expected=f"a split of the corpus: {', '.join(images)}",
            fix="set it to test or raise corpus.val_classes",
        )
    if not info.get("has_classes", True) and params.rdg.use_rs and params.features.views < 2:
        raise UserError(
            "features.views",
            got=params.features.views,
            expected="at least 2 without classes, since the relation supervisor compares every "
            "picture with another view of itself",
            fix="raise it or set rdg.use_rs to false",
        )
    fresh = images if split == "test" else {}  # pictures of test classes
    sets = picture_sets(
        params.evaluate,
        split,
        train=images["train"],
        drawn=min(info["utterances"][split], images[split] * params.sample.captions_per_picture),
        reference=fresh.get("reference", images[split]),
        floor=fresh.get("floor", 0),
    )
    check_counts(sets, fitted(params.evaluate, split, sets))


def _check_sen(config: SenConfig, corpus: Path) -> None:
    # Who only reads parameters need not wait for pandas.
    from s2igan.corpora.index import Corpus

    opened = Corpus(corpus)
    texts = opened.descriptions["text"]
    check_readable(config, empty=int(texts.isna().sum()), descriptions=len(texts))
    classes = opened.images.groupby("split")["class_id"].nunique()
    check_trainable(
        config,
        classes=int(classes.get("train", 0)),
        val_classes=int(classes.get("val", 0)),
        test_classes=int(classes.get("test", 0)),
        has_classes=opened.has_classes,
    )


def combination_problems(params: Params) -> list[str]:
    """Return one line per combination of valid values that does not go together."""
    checks = (*_training_checks(params), *_material_checks(params))
    return [
        *corpus_conflicts(params.corpus),
        *voice_conflicts(params.tts),
        *mel_conflicts(params.features.mel, params.tts.sample_rate_hz),
        *(message for wrong, message in checks if wrong),
    ]


def _training_checks(params: Params) -> tuple[tuple[bool, str], ...]:
    sen, rdg, corpus, mel = params.sen, params.rdg, params.corpus, params.features.mel
    return (
        (
            sen.band_mask_bands > mel.bands,
            f"sen.band_mask_bands: got {sen.band_mask_bands}; expected at most "
            f"features.mel.bands, {mel.bands}",
        ),
        (
            mel.normalise == "none" and sen.time_masks + sen.band_masks + sen.frame_noise > 0,
            f"features.mel.normalise: got 'none' with sen.time_masks {sen.time_masks}, "
            f"sen.band_masks {sen.band_masks} and sen.frame_noise "
            f"{sen.frame_noise}; expected 'per_band', or 0 of each, since masks put the "
            "mean of a band in and noise is measured in its deviation",
        ),
        (
            not (sen.matching_loss or sen.distinctive_loss),
            "sen.matching_loss: got false beside sen.distinctive_loss false; expected one true",
        ),
        (
            not sen.matching_loss and sen.distinctive_weight == 0,
            f"sen.distinctive_weight: got {sen.distinctive_weight} beside "
            "sen.matching_loss false; expected more than 0, or a training has no loss",
        ),
        (
            sen.encoder == "conv_blstm" and len(sen.channels) > CONV_BLSTM_WIDTHS,
            f"sen.channels: got {len(sen.channels)} widths with sen.encoder 'conv_blstm'; "
            f"expected at most {CONV_BLSTM_WIDTHS}",
        ),
        (
            sen.keep == "best_val"
            and corpus.val_classes < 2
            and corpus.kind != "recorded",  # its index may name them itself
            f"sen.keep: got 'best_val' with corpus.val_classes {corpus.val_classes}; "
            "expected 'last', or at least 2 classes to choose on",
        ),
        (
            rdg.speech_encoder != "trained" and rdg.matching_weight > 0,
            f"rdg.matching_weight: got {rdg.matching_weight} with rdg.speech_encoder "
            f"{rdg.speech_encoder!r}; expected 0, since such speech shares no space with "
            "the pictures",
        ),
    )


def _material_checks(params: Params) -> tuple[tuple[bool, str], ...]:
    corpus, tts, features, rdg = params.corpus, params.tts, params.features, params.rdg
    return (
        (
            features.crop > features.shorter_side,
            f"features.crop: got {features.crop}; expected at most features.shorter_side, "
            f"{features.shorter_side}",
        ),
        (
            rdg.crop > features.shorter_side,
            f"rdg.crop: got {rdg.crop}; expected at most features.shorter_side, "
            f"{features.shorter_side}",
        ),
        (
            rdg.crop < 4 * rdg.base_size,
            f"rdg.crop: got {rdg.crop}; expected at least {4 * rdg.base_size}, the "
            "last scale of rdg.base_size",
        ),
        (
            params.evaluate.crop != rdg.crop,
            f"evaluate.crop: got {params.evaluate.crop}; expected that of rdg.crop, {rdg.crop}",
        ),
        (
            params.sample.split == "val" and corpus.val_classes == 0 and corpus.kind != "recorded",
            "sample.split: got 'val' with corpus.val_classes 0; expected 'test', or classes held "
            "out of the training classes",
        ),
        (
            params.evaluate.queries == "authors" and corpus.kind not in ("cub", "oxford102"),
            f"evaluate.queries: got 'authors' with corpus.kind {corpus.kind!r}; expected "
            "'drawn', since they list pictures of CUB and Oxford-102 alone",
        ),
        (
            tts.engine == "recorded" and not (corpus.kind == "recorded" or corpus.authors_speech),
            f"tts.engine: got 'recorded' with corpus.kind {corpus.kind!r}; expected another "
            "engine, or a corpus that has recordings",
        ),
        (
            corpus.authors_speech and tts.engine != "recorded",
            f"tts.engine: got {tts.engine!r} with corpus.authors_speech true; expected 'recorded'",
        ),
    )


def _told(path: Path, problems: list[str]) -> str:
    return f"{str(path)!r}: {' | '.join(problems)}"
