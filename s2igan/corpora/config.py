"""The section ``corpus`` of ``params.yaml``."""

from typing import Annotated, Final, Literal

from pydantic import Field

from s2igan.corpora.minibirds.config import MinibirdsConfig
from s2igan.engine.section import Section, matching

EDITIONS: Final[dict[str, tuple[str, ...]]] = {
    "minibirds": ("drawn",),
    "cub": ("published",),
    "oxford102": ("published", "304px"),
}
"""Editions of the corpora that the manifests list; a recorded corpus names its own."""

Name = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9._-]*",
        "a name of letters, digits, ., _ and -, the first a letter or a digit",
    ),
]


class CorpusConfig(Section):
    """Which pictures and descriptions the experiment is about.

    Sizes of ``minibirds`` have no say in the other kinds; they stand in every file of parameters
    so that all presets have the same keys.
    """

    kind: Literal["minibirds", "cub", "oxford102", "recorded"] = Field(
        description="minibirds: drawn from a seed; cub, oxford102: photographs and captions of "
        "birds and flowers; recorded: a folder of pictures with spoken or written descriptions"
    )
    edition: Name = Field(
        description="which copy, named beside every figure: drawn (minibirds); published (cub); "
        "published or 304px (oxford102); the name of the folder (recorded)",
    )
    seed: int = Field(
        ge=0, description="draws the validation classes and, for minibirds, pictures and captions"
    )
    val_classes: int = Field(
        ge=0, description="classes held out of the training classes, for choosing settings; paper 0"
    )
    test_share: float = Field(
        gt=0,
        lt=1,
        description="share of the classes that become test where a recorded folder names no split",
    )
    on_broken: Literal["stop", "skip"] = Field(
        description="a picture that does not decode or lacks its captions: stop = stop the stage, "
        "skip = leave it out and list it in corpus.json"
    )
    authors_speech: bool = Field(
        description="take the speech that the paper's authors published (oxford102); needs "
        "tts.engine recorded"
    )
    minibirds: MinibirdsConfig = Field(description="size and language of the corpus minibirds")


def conflicts(config: CorpusConfig) -> list[str]:
    """Return what does not go together within a valid section, one line per conflict."""
    known = EDITIONS.get(config.kind, (config.edition,))
    told = []
    if config.edition not in known:
        told.append(
            f"corpus.edition: got {config.edition!r}; expected {' or '.join(known)} "
            f"with corpus.kind {config.kind}"
        )
    if config.authors_speech and config.kind != "oxford102":
        told.append(
            f"corpus.authors_speech: got true with corpus.kind {config.kind}; "
            "expected false, or oxford102"
        )
    return told
