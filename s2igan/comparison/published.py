"""The published figures beside ours, and what keeps the two from comparing."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from s2igan.comparison.markdown import number, table
from s2igan.config import Params
from s2igan.engine.section import Section
from s2igan.engine.strict_yaml import read_yaml

_FILE = Path(__file__).with_name("published.yaml")


class PublishedFigure(Section):
    """What one source prints of one system."""

    corpus: str
    system: str
    row: str | None = Field(None, description="the row of our lists that it stands beside")
    mAP: float | None = None  # noqa: N815
    FID: float | None = None
    IS: float | None = None
    IS_deviation: float | None = None
    R_precision: float | None = None
    SEN_mAP: float | None = None
    source: list[str] = Field(min_length=1)
    remark: str | None = None


class PublishedTable(Section):
    """One published table, or figures collected from several places."""

    title: str
    figures: list[PublishedFigure]


class Published(Section):
    """``published.yaml``."""

    sources: dict[str, str]
    tables: list[PublishedTable]


OURS = {
    "mAP": ("consistency/paper_protocol/mAP", 100.0),
    "FID": ("fidelity/generated/FID", 1.0),
    "IS": ("fidelity/generated/IS", 1.0),
    "R_precision": ("r_precision/R-precision", 100.0),
    "SEN_mAP": ("retrieval/authors_protocol/mAP", 100.0),
}
"""Path of our figure, and the factor to the published unit."""

_HEADINGS = {
    "mAP": "mAP, %",
    "FID": "FID",
    "IS": "IS",
    "R_precision": "R-precision, %",
    "SEN_mAP": "SEN mAP, %",
}


@cache
def read_published() -> Published:
    """Return everything that is published, as the package carries it."""
    return Published.model_validate(read_yaml(_FILE))


def gaps(params: Params) -> dict[str, list[str]]:
    """Return what keeps figures taken with these parameters from comparing with published ones.

    Returns:
        Reasons by figure; none where it compares as far as its published protocol is known.
    """
    evaluate, judge = params.evaluate, params.evaluate.backbone
    inception = "inception_v3/torchvision"
    by = {
        "mAP": [
            f"features of {judge}"
            if judge != inception
            else "pictures scaled as the network wants, unlike the authors'"
        ],
        "FID": [f"features of {evaluate.fidelity_backbone or judge}"]
        if evaluate.fidelity_backbone != "torch_fidelity"
        else [],
        "IS": [
            "no extractor fine-tuned on the test classes"
            if evaluate.is_backbone != "fine_tuned"
            else "another network that was fine-tuned on the test classes"
        ],
        "R_precision": ["another network judges"],
        "SEN_mAP": [f"features of {' + '.join(params.features.backbones)}"]
        if params.features.backbones != [inception]
        else [],
    }
    if evaluate.queries != "authors":
        by["mAP"].append("query pictures drawn, not the authors'")
    if params.sen.keep != "best_test_as_published":
        by["SEN_mAP"].append("weights not chosen by test mAP, as the authors' were")
    drawn, learnt = _of_drawing(params), _of_learning(params)
    return {
        name: [*reasons, *([] if name == "SEN_mAP" else drawn), *learnt]
        for name, reasons in by.items()
    }


def _of_drawing(params: Params) -> list[str]:
    side, sample = params.rdg.base_size * 4, params.sample
    captions = sample.captions_per_picture
    gaps = (
        (side != 256, f"{side} px in place of 256"),
        (sample.split != "test", "validation classes"),
        (captions < 10, f"{captions} of 10 captions per picture"),
        (sample.noise != "per_picture", "z drawn for each caption"),
        (not sample.ca_noise, "F_ca at its mean"),
        (sample.truncation is not None, f"noise truncated at {sample.truncation}"),
    )
    return [told for is_gap, told in gaps if is_gap]


def _of_learning(params: Params) -> list[str]:
    held_out = params.corpus.val_classes
    # The authors' recordings are the paper's voice; Tacotron2 is, but for the vocoder.
    other_voice = params.tts.engine != "tacotron2" and not params.corpus.authors_speech
    gaps = (
        (params.corpus.edition != "published", f"the edition {params.corpus.edition}"),
        (held_out > 0, f"{held_out} training classes held out"),
        (other_voice, "another voice than the paper's"),
    )
    return [told for is_gap, told in gaps if is_gap]


def published_section(
    corpus: str, params: Params, ours: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """Lay out the published figures of a corpus beside ours.

    Args:
        corpus: its kind.
        params: those of the reference row.
        ours: mean over seeds by row and figure, keys as in :data:`OURS`, in published units.

    Returns:
        Lines of Markdown.
    """
    known = read_published()
    tables = [
        (listed.title, [figure for figure in listed.figures if figure.corpus == corpus])
        for listed in known.tables
    ]
    if not any(figures for _, figures in tables):
        return [
            f"Nothing is published on {corpus}. What is, on CUB and Oxford-102, is of other "
            "pictures, sizes and judges; no figure of this page compares with it."
        ]
    lines = [
        "As printed, mAP in percent. In brackets ours of the same row, mean over seeds.",
        "",
        *(f"* {_comparability(name, why)}" for name, why in gaps(params).items()),
    ]
    for title, figures in tables:
        if figures:
            lines += ["", f"### {title}", "", *_table(figures, ours)]
    used = {source for _, figures in tables for figure in figures for source in figure.source}
    return [*lines, "", "Sources:", "", *(f"* {key}: {known.sources[key]}" for key in sorted(used))]


def _comparability(name: str, reasons: list[str]) -> str:
    heading = _HEADINGS[name].removesuffix(", %")
    if reasons:
        return f"{heading}: ours does not compare ({'; '.join(reasons)})."
    return f"{heading}: ours compares as far as the published protocol is known."


def _table(figures: list[PublishedFigure], ours: Mapping[str, Mapping[str, float]]) -> list[str]:
    shown = [name for name in _HEADINGS if any(getattr(f, name) is not None for f in figures)]
    rows = []
    for figure in figures:
        own = ours.get(figure.row or "", {})
        cells = [_cell(figure, name, own.get(name)) for name in shown]
        rows.append([figure.system, *cells, ", ".join(figure.source), figure.remark or ""])
    return table(["system", *(_HEADINGS[name] for name in shown), "source", "remark"], rows)


def _cell(figure: PublishedFigure, name: str, own: float | None) -> str:
    value: Any = getattr(figure, name)
    text = "–" if value is None else f"{value:.2f}"
    if name == "IS" and figure.IS_deviation is not None:
        text += f" ± {figure.IS_deviation:.2f}"
    return text if own is None else f"{text} [{number(own)}]"
