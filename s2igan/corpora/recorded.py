"""A folder of pictures with recorded or written descriptions, prepared by its user.

The folder holds ``index.parquet`` and the files that it names; ``docs/corpora.md`` shows how to
make one. No text is needed anywhere: a description may be a recording alone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import AfterValidator, Field, ValidationError, model_validator

from s2igan.corpora.archives import digest, require_space
from s2igan.corpora.defects import Defects, decodable
from s2igan.corpora.index import write_corpus
from s2igan.corpora.splits import split_of_classes
from s2igan.engine.progress import bar
from s2igan.engine.section import Section
from s2igan.engine.tables import write_table
from s2igan.errors import UserError

KIND = "recorded"

INDEX_SCHEMA = pa.schema(
    [
        ("image", pa.string()),
        ("class", pa.string()),
        ("split", pa.string()),
        ("box", pa.list_(pa.float32())),
        ("descriptions", pa.list_(pa.struct([("text", pa.string()), ("recording", pa.string())]))),
    ]
)
"""Columns of the prepared ``index.parquet``, one row per picture; ``box`` may be absent."""


def _inside(path: str) -> str:
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"{path!r} is no path inside the prepared folder")
    return path


InnerPath = Annotated[str, AfterValidator(_inside)]


class Description(Section):
    """One description: written, spoken, or both."""

    text: str | None = None
    recording: InnerPath | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.text is not None and not any(map(str.isalnum, self.text)):
            raise ValueError(f"text {self.text!r} has no words")
        if self.text is None and self.recording is None:
            raise ValueError("neither text nor recording")
        return self


class PreparedPicture(Section):
    """One row of the prepared index; ``box`` is (x, y, width, height) in px."""

    image: InnerPath
    class_name: str = Field(alias="class", min_length=1)
    split: Literal["train", "val", "test"]
    box: list[float] | None = Field(None, min_length=4, max_length=4)
    descriptions: list[Description] = Field(min_length=1)

    @model_validator(mode="after")
    def _box_has_an_area(self) -> Self:
        if self.box is not None and min(self.box[2:]) <= 0:
            raise ValueError(f"box {self.box} has no area")
        return self


def write_index(folder: Path, pictures: Sequence[Mapping[str, object]]) -> None:
    """Write ``index.parquet`` into a folder that holds the files.

    Args:
        folder: the prepared folder.
        pictures: one mapping per picture with the keys of :data:`INDEX_SCHEMA`; absent keys are
            null.
    """
    write_table(folder / "index.parquet", pa.Table.from_pylist([*pictures], schema=INDEX_SCHEMA))


def build(
    edition: str, *, archives: Path | None, seed: int, val_classes: int, out: Path, workers: int
) -> None:
    """Build the corpus folder from a prepared folder.

    Args:
        edition: name of the folder, at ``<archives>/recorded/<edition>`` or
            ``<archives>/<edition>``.
        archives: folder of archives.
        seed: draws the validation classes.
        val_classes: how many are drawn; 0 where the index names them itself.
        out: the corpus folder to (re)place.
        workers: processes that check pictures; no influence on the result.

    Raises:
        UserError: if the folder or its index is missing or unreadable; or naming, all at once,
            every row that is wrong, missing or undecodable file, class in several splits or with
            one picture, and split without pictures.
    """
    folder = _find_folder(edition, archives)
    defects = Defects(f"prepared folder {str(folder)!r}", fix="mend the files or index.parquet")
    pictures = _read_index(folder / "index.parquet", defects)
    _check_files(folder, pictures, defects)
    _check_classes(pictures, defects)
    contents = _sound_pictures(folder, pictures, defects, workers)
    if defects.found:
        # What is wrong with the pictures is told together with what is wrong with the index.
        for _ in contents:
            pass
    recordings = _recordings(pictures)
    files = [*(picture.image for picture in pictures), *recordings]
    require_space(out, sum((folder / name).stat().st_size for name in files))
    write_corpus(
        out,
        _image_table(pictures, val_classes, seed),
        contents,
        _description_table(pictures, recordings),
        ((folder / name).read_bytes() for name in recordings),
        info={
            "kind": KIND,
            "edition": edition,
            "index_sha256": digest(folder / "index.parquet", "sha256"),
        },
    )


def _find_folder(edition: str, archives: Path | None) -> Path:
    if archives is None:
        raise UserError(
            f"prepared folder {edition!r}",
            got="no folder of archives",
            expected="the folder that holds it",
            fix="name it in S2IGAN_ARCHIVES or as `archives` in runtime.yaml",
        )
    places = (archives / KIND / edition, archives / edition)
    for place in places:
        if (place / "index.parquet").is_file():
            return place
    raise UserError(
        f"prepared folder {edition!r}",
        got="no index.parquet",
        expected=" or ".join(repr(str(place / "index.parquet")) for place in places),
        fix="prepare it as docs/corpora.md shows",
    )


def _read_index(path: Path, defects: Defects) -> list[PreparedPicture]:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"index {str(path)!r}", got=str(error).splitlines()[0], expected="a Parquet table"
        ) from error
    columns, known = set(table.column_names), set(INDEX_SCHEMA.names)
    if columns - known or known - columns - {"box"}:
        raise UserError(
            f"columns of {str(path)!r}",
            got=", ".join(table.column_names),
            expected=", ".join(INDEX_SCHEMA.names),
        )
    pictures = []
    for number, row in enumerate(table.to_pylist()):
        try:
            pictures.append(PreparedPicture.model_validate(row))
        except ValidationError as error:
            for problem in error.errors(include_url=False):
                place = ".".join(map(str, problem["loc"]))
                said = problem["msg"].removeprefix("Value error, ")
                defects.add(f"row {number} ({row['image']!r}) {place}: {said}".replace(" :", ":"))
    return pictures


def _check_files(folder: Path, pictures: list[PreparedPicture], defects: Defects) -> None:
    for image, count in Counter(picture.image for picture in pictures).items():
        if count > 1:
            defects.add(f"{image}: in {count} rows")
        if not (folder / image).is_file():
            defects.add(f"{image}: no such picture")
    for name in _recordings(pictures):
        path = folder / name
        if not path.is_file():
            defects.add(f"{name}: no such recording")
        elif path.stat().st_size == 0:
            defects.add(f"{name}: empty recording")


def _check_classes(pictures: list[PreparedPicture], defects: Defects) -> None:
    sizes = Counter(picture.class_name for picture in pictures)
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for picture in pictures:
        splits[picture.class_name].add(picture.split)
    for name in sorted(sizes):
        if len(splits[name]) > 1:
            defects.add(f"class {name!r}: in the splits {' and '.join(sorted(splits[name]))}")
        if sizes[name] == 1:
            defects.add(f"class {name!r}: 1 picture; at least 2 are needed to tell it from others")
    for split in ("train", "test"):
        if not any(split in found for found in splits.values()):
            defects.add(f"split {split}: no pictures")


def _sound_pictures(
    folder: Path, pictures: list[PreparedPicture], defects: Defects, workers: int
) -> Iterator[bytes]:
    names = [picture.image for picture in pictures]
    loaded = _loaded(folder, bar(names, f"{KIND} pictures"))
    yield from decodable(loaded, defects, workers)
    defects.raise_any()


def _loaded(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for name in names:
        if (folder / name).is_file():  # where it is not, that is a defect already
            yield name, (folder / name).read_bytes()


def _recordings(pictures: list[PreparedPicture]) -> dict[str, int]:
    """Number the recordings in the order in which they are first named."""
    named = (d.recording for picture in pictures for d in picture.descriptions)
    return {name: row for row, name in enumerate(dict.fromkeys(filter(None, named)))}


def _image_table(pictures: list[PreparedPicture], val_classes: int, seed: int) -> pd.DataFrame:
    names = sorted({picture.class_name for picture in pictures})
    ids = {name: class_id for class_id, name in enumerate(names)}
    listed = {ids[picture.class_name]: picture.split for picture in pictures}
    if val_classes and "val" in listed.values():
        raise UserError(
            "corpus.val_classes",
            got=val_classes,
            expected="0, since the index names validation classes itself",
        )
    test = {class_id for class_id, split in listed.items() if split == "test"}
    train = {class_id for class_id, split in listed.items() if split == "train"}
    splits = listed | split_of_classes(train | test, test, val_classes, seed)
    class_ids = [ids[picture.class_name] for picture in pictures]
    return pd.DataFrame(
        {
            "name": [picture.image for picture in pictures],
            "class_id": class_ids,
            "class_name": [picture.class_name for picture in pictures],
            "split": [splits[class_id] for class_id in class_ids],
            "box": [picture.box for picture in pictures],
        }
    )


def _description_table(pictures: list[PreparedPicture], recordings: Mapping[str, int]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "image": image,
                "position": position,
                "text": said.text,
                "recording": None if said.recording is None else recordings[said.recording],
                "role": "caption",
            }
            for image, picture in enumerate(pictures)
            for position, said in enumerate(picture.descriptions)
        ]
    )
