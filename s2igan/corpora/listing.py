"""Pictures as the published lists name them, and whether everything that they name is there."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from s2igan.corpora.defects import Defects
from s2igan.corpora.published_manifest import Counts


@dataclass(frozen=True)
class ListedPicture:
    """One picture.

    Attributes:
        name: its file, as the lists name it; unique in the corpus.
        class_number: its class, from 1.
        class_name: the class's folder in the published archives.
        box: x, y, width and height in px of what matters, or None.
    """

    name: str
    class_number: int
    class_name: str
    box: tuple[float, float, float, float] | None = None

    @property
    def stem(self) -> str:
        """The name without suffix, as the manifest's quirks are listed."""
        return self.name.removesuffix(".jpg")

    @property
    def place(self) -> str:
        """Class folder and picture, as captions and recordings are filed."""
        return f"{self.class_name}/{PurePosixPath(self.name).stem}"


def check_pictures(
    pictures: Sequence[ListedPicture], found: Iterable[str], archive: str, defects: Defects
) -> None:
    """Note pictures that are listed and not there, or there and not listed.

    Raises:
        UserError: with all defects so far, if nothing is there.
    """
    names = dict.fromkeys(found)
    if not names:
        defects.add(f"{archive}: no pictures inside")
        defects.raise_any()
    for picture in pictures:
        if picture.name not in names:
            defects.add_picture(picture.name, "missing in the archives")
    listed = {picture.name for picture in pictures}
    for name in names:
        if name not in listed:
            defects.add(f"{name}: in the archives, but not listed")


def check_labels(pictures: Iterable[ListedPicture], classes: int, defects: Defects) -> None:
    """Note pictures of classes that do not exist."""
    for picture in pictures:
        if not 1 <= picture.class_number <= classes:
            defects.add(f"{picture.name}: label {picture.class_number} outside 1 to {classes}")


def check_class_sizes(listed: Iterable[str], left: Iterable[str], defects: Defects) -> None:
    """Note classes of which fewer than two pictures are left, by the class of every picture."""
    sizes = Counter(left)
    for name in sorted(set(listed)):
        if sizes[name] < 2:
            defects.add(
                f"class {name}: {sizes[name]} picture{'s' * (sizes[name] != 1)} left; at least 2 "
                "are needed to tell it from others"
            )


def check_counts(
    pictures: Sequence[ListedPicture],
    captions: Mapping[str, int],
    test_classes: Container[int],
    counts: Counts,
    defects: Defects,
) -> None:
    """Note every number that differs from the manifest's; ``captions`` are numbers by picture."""
    test = [picture for picture in pictures if picture.class_number in test_classes]
    for what, got, expected in (
        ("classes", len({picture.class_number for picture in pictures}), counts.classes),
        ("images", len(pictures), counts.images),
        ("train images", len(pictures) - len(test), counts.train_images),
        ("test images", len(test), counts.test_images),
        ("utterances", sum(captions[p.name] for p in pictures), counts.utterances),
        ("test utterances", sum(captions[p.name] for p in test), counts.test_utterances),
    ):
        if got != expected:
            defects.add(f"{got} {what} instead of {expected}")
