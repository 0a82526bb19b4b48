"""What the manifest of a published corpus says: split, counts, quirks and the files of editions."""

from typing import Generic, TypeVar

from pydantic import Field

from s2igan.corpora.manifest import PublishedFile, Source
from s2igan.engine.section import Section


class Counts(Section):
    """What the corpus must hold after its quirks; training includes validation."""

    classes: int = Field(ge=1)
    captions_per_image: int = Field(ge=1)
    images: int = Field(ge=1)
    train_images: int = Field(ge=0)
    test_images: int = Field(ge=0)
    utterances: int = Field(ge=0)
    test_utterances: int = Field(ge=0)


class DroppedCaption(Section):
    """A caption that is known to be no description, and is left out alone.

    Attributes:
        image: name of the picture, without suffix.
        position: line of its captions, from 0.
        text: what stands there.
    """

    image: str = Field(min_length=1)
    position: int = Field(ge=0)
    text: str


class Edition(Section):
    """The archives of one edition."""

    photographs: list[PublishedFile] = Field(min_length=1)
    captions: PublishedFile

    @property
    def files(self) -> list[PublishedFile]:
        """All archives."""
        return [*self.photographs, self.captions]


E = TypeVar("E", bound=Edition)


class CorpusManifest(Section, Generic[E]):
    """A manifest such as ``data/cub.yaml``."""

    sources: dict[str, Source]
    test_classes: list[int]
    counts: Counts
    dropped_captions: list[DroppedCaption]
    editions: dict[str, E]

    def dropped_by_image(self) -> dict[str, dict[int, str]]:
        """Return the text of every dropped caption, by picture and position."""
        by_image: dict[str, dict[int, str]] = {}
        for caption in self.dropped_captions:
            by_image.setdefault(caption.image, {})[caption.position] = caption.text
        return by_image
