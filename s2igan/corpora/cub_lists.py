"""The lists inside the archive of Caltech-UCSD Birds: pictures, labels, classes and boxes.

Each is a text file with a number from 1 and a value per line.
"""

import math
import re
from collections.abc import Mapping

from s2igan.corpora.defects import Defects
from s2igan.corpora.listing import ListedPicture

LISTS = ("images", "image_class_labels", "classes", "bounding_boxes")
"""Names of the lists, without ``.txt``."""

Values = dict[int, str]
"""What a list says, by number, in its order."""

Box = tuple[float, float, float, float]

_CLASS = re.compile(r"(\d+)\..+")


def read_lists(contents: Mapping[str, bytes], defects: Defects) -> list[ListedPicture]:
    """Return the pictures of ``images.txt`` in the order of their numbers, with class and box.

    A box that is missing or has no area is a defect of its picture; whatever else is wrong is one
    of the corpus: classes out of order or called by another number, pictures of unknown classes,
    and labels that contradict the folder that the picture lies in.

    Args:
        contents: files by their name without ``.txt``.
        defects: where to note what is wrong.

    Raises:
        UserError: with all defects so far, if a list is missing or cannot be read.
    """
    before = len(defects.found)
    lists = {name: _read_list(name, contents.get(name), defects) for name in LISTS}
    if len(defects.found) > before:
        defects.raise_any()
    classes, images = lists["classes"], lists["images"]
    _check_classes(classes, defects)
    _check_images(images, classes, defects)
    for name in ("image_class_labels", "bounding_boxes"):
        for number in lists[name].keys() - images.keys():
            defects.add(f"{name}.txt: picture {number}, which images.txt does not list")
    labels = _labels(images, lists["image_class_labels"], defects)
    return [
        ListedPicture(
            name,
            labels[number],
            _folder(name),
            _box(name, lists["bounding_boxes"], number, defects),
        )
        for number, name in sorted(images.items())
    ]


def _read_list(name: str, content: bytes | None, defects: Defects) -> Values:
    if content is None:
        defects.add(f"{name}.txt: missing in the archives")
        return {}
    values: Values = {}
    for line, text in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        number, _, value = text.strip().partition(" ")
        if not (number.isdecimal() and value.strip() and "\ufffd" not in value):
            defects.add(f"{name}.txt: line {line} is {text!r} instead of a number and a value")
        elif int(number) in values:
            defects.add(f"{name}.txt: number {number} twice, again in line {line}")
        else:
            values[int(number)] = value.strip()
    return values


def _check_classes(classes: Values, defects: Defects) -> None:
    for line, number in enumerate(classes, start=1):
        if number != line:
            defects.add(f"classes.txt: out of order from line {line} on, which is class {number}")
            break
    contradictory = [
        f"class {number} is called {name!r}"
        for number, name in classes.items()
        if not (called := _CLASS.fullmatch(name)) or int(called[1]) != number
    ]
    if contradictory:
        more = len(contradictory) - 1
        others = f", and {more} more contradict their numbers" if more else ""
        defects.add(f"classes.txt: {contradictory[0]}{others}")


def _check_images(images: Values, classes: Values, defects: Defects) -> None:
    known, names = set(classes.values()), set()
    for name in images.values():
        if name in names:
            defects.add(f"images.txt: {name} twice")
        names.add(name)
    for folder in sorted({_folder(name) for name in names} - known):
        defects.add(f"images.txt: folder {folder!r}, which is no class of classes.txt")


def _labels(images: Values, labels: Values, defects: Defects) -> dict[int, int]:
    """Return the class number of every picture; its folder's where it has no label."""
    numbers = {}
    for number, name in images.items():
        called = _CLASS.fullmatch(_folder(name))
        own = int(called[1]) if called else 0
        label = labels.get(number, "")
        numbers[number] = int(label) if label.isdecimal() else own
        if not label:
            defects.add(f"{name}: without label in image_class_labels.txt")
        elif not label.isdecimal() or int(label) != own:
            defects.add(f"{name}: label {label}, which contradicts its folder")
    return numbers


def _box(name: str, boxes: Values, number: int, defects: Defects) -> Box | None:
    if number not in boxes:
        defects.add_picture(name, "without box in bounding_boxes.txt")
        return None
    try:
        x, y, width, height = map(float, boxes[number].split())
    except ValueError:
        defects.add_picture(name, f"box {boxes[number]!r} instead of four numbers")
        return None
    if not (all(map(math.isfinite, (x, y, width, height))) and width > 0 and height > 0):
        defects.add_picture(name, f"box {boxes[number]!r} without area")
        return None
    return x, y, width, height


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
