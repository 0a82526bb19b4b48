"""The corpus folder that every later stage reads: pictures, descriptions and where they belong.

Four parts lie in it: ``index.parquet`` (one row per picture), ``images.npy`` (the picture files as
published), ``descriptions.parquet`` (one row per description, its row number being the utterance's
id from here on) and ``corpus.json``; ``recordings.npy`` joins them where speech was recorded.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from s2igan.corpora.attributes import ATTRIBUTES
from s2igan.engine.arrays import Ragged, RaggedWriter
from s2igan.engine.folders import fresh_folder
from s2igan.engine.pictures import Picture, decode_picture
from s2igan.engine.tables import read_json, read_table, write_json, write_table
from s2igan.errors import UserError, unreadable_output

SPLITS = ("train", "val", "test", "reference", "floor")
"""Splits are disjoint by class, but for reference and floor: fresh pictures of test classes."""

IMAGE_SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("class_id", pa.int32()),
        ("class_name", pa.string()),
        ("split", pa.string()),
        ("box", pa.list_(pa.float32())),
    ]
)
"""``box`` is (x, y, width, height) in px, or null; drawings add one string per attribute."""

DESCRIPTION_SCHEMA = pa.schema(
    [
        ("image", pa.int32()),
        ("position", pa.int32()),
        ("text", pa.string()),
        ("recording", pa.int32()),
        ("role", pa.string()),
        ("mentions", pa.list_(pa.string())),
        ("swap_of", pa.int32()),
        ("swap_attribute", pa.string()),
        ("swap_value", pa.string()),
    ]
)
"""``image``, ``recording`` and ``swap_of`` are row numbers; ``role`` is caption or swap."""

_NULLABLE_INTEGERS = ("recording", "swap_of")

_NONE: Mapping[str, int] = {}


class Corpus:
    """A corpus folder, read-only.

    Args:
        folder: what :func:`write_corpus` wrote.

    Raises:
        UserError: if a file is missing or damaged, or they do not belong together.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = read_table(folder / "index.parquet", IMAGE_SCHEMA)
        descriptions = read_table(folder / "descriptions.parquet", DESCRIPTION_SCHEMA)
        self.info = read_json(
            folder / "corpus.json", "download", kind=str, edition=str, images=dict
        )
        if not _belong_together(self.images, descriptions, self.info):
            raise unreadable_output(
                f"corpus {str(folder)!r}",
                "pictures and descriptions that are not those of its corpus.json",
                "download",
            )
        self.descriptions = _join(descriptions, self.images)

    @property
    def has_attributes(self) -> bool:
        """Whether ``images`` holds a column for every drawn attribute."""
        return set(ATTRIBUTES) <= set(self.images.columns)

    @property
    def has_classes(self) -> bool:
        """Whether pictures belong to classes; else every picture is a class of its own."""
        return bool(self.info.get("has_classes", True))

    @property
    def upright(self) -> bool:
        """Whether pictures are turned as their cameras noted; else they lie as stored."""
        return bool(self.info.get("upright", False))

    def check_rows(
        self, *, pictures: Mapping[str, int] = _NONE, utterances: Mapping[str, int] = _NONE
    ) -> None:
        """Refuse files of another corpus.

        Args:
            pictures: rows of each file that holds one per picture.
            utterances: of each that holds one per description.

        Raises:
            UserError: if a file has more or fewer rows.
        """
        for named, table in ((pictures, self.images), (utterances, self.descriptions)):
            for name, rows in named.items():
                if rows != len(table):
                    raise unreadable_output(
                        f"rows of {name!r}", f"{rows}, not {len(table)} as in the corpus"
                    )

    def picture_bytes(self, image: int) -> bytes:
        """Return the picture file of row ``image`` of the index, as published."""
        return bytes(self._pictures[image].data)

    def picture(self, image: int) -> Picture:
        """Decode the picture of row ``image`` into ``(H, W, 3)`` uint8 RGB."""
        name = str(self.images["name"].iloc[image])
        return decode_picture(self.picture_bytes(image), name, upright=self.upright)

    def description_name(self, utterance: int) -> str:
        """Return how an error names row ``utterance`` of the descriptions: by its picture, too."""
        image, position = (
            int(self.descriptions[column].to_numpy()[utterance]) for column in ("image", "position")
        )
        picture = str(self.images["name"].iloc[image])
        return f"utterance {utterance} (picture {picture!r}, description {position})"

    @cached_property
    def _pictures(self) -> Ragged:
        return Ragged(self.folder, "images")


def open_recordings(corpus: Path) -> Ragged:
    """Open the audio files of a corpus folder, numbered as ``recording`` of its descriptions.

    Raises:
        UserError: if the corpus holds no recordings, or they are damaged.
    """
    return Ragged(corpus, "recordings")


def write_corpus(
    folder: Path,
    images: pd.DataFrame,
    picture_bytes: Iterable[bytes],
    descriptions: pd.DataFrame,
    recordings: Iterable[bytes] = (),
    *,
    info: Mapping[str, object],
) -> None:
    """Write a whole corpus folder, or nothing.

    Args:
        folder: the folder to (re)place.
        images: columns of :data:`IMAGE_SCHEMA`, and those of the attributes where they are known.
        picture_bytes: one encoded picture per row of ``images``, taken one at a time.
        descriptions: columns of :data:`DESCRIPTION_SCHEMA`; an absent column is null throughout.
        recordings: encoded audio files, in the order that ``descriptions["recording"]`` numbers.
        info: ``kind``, ``edition`` and what else the corpus wants to say of itself, such as
            ``has_classes: false`` or ``upright: true``; the number of classes, where there are any,
            and of images and utterances (captions, without swaps) per split are added.

    Raises:
        UserError: if pictures, recordings and tables do not fit together.
    """
    drawn = [name for name in ATTRIBUTES if name in images]
    image_table = _conform(
        images, pa.schema([*IMAGE_SCHEMA, *((name, pa.string()) for name in drawn)])
    )
    description_table = _conform(descriptions, DESCRIPTION_SCHEMA)
    for column, rows in (("image", image_table), ("swap_of", description_table)):
        _check_numbers(column, description_table[column], rows.num_rows)
    with fresh_folder(folder) as partial:
        written = _write_items(partial, "images", picture_bytes)
        _expect("pictures", written, image_table.num_rows)
        heard = description_table["recording"].drop_null()
        if len(heard):
            written = _write_items(partial, "recordings", recordings)
            _expect("recordings", written, pc.max(heard).as_py() + 1)
            _check_numbers("recording", heard, written)
        write_table(partial / "index.parquet", image_table)
        write_table(partial / "descriptions.parquet", description_table)
        write_json(
            partial / "corpus.json",
            {
                **info,
                **(
                    {"classes": images["class_id"].nunique()}
                    if info.get("has_classes", True)
                    else {}
                ),
                **_counts(image_table.to_pandas(), description_table.to_pandas()),
            },
        )


def _belong_together(
    images: pd.DataFrame, descriptions: pd.DataFrame, info: Mapping[str, object]
) -> bool:
    described = descriptions["image"].between(0, len(images) - 1).all()
    if not described or images["class_id"].isna().any():
        return False
    counts = _counts(images, descriptions)
    return counts == {key: info.get(key) for key in counts}


def _join(descriptions: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    rows = descriptions["image"].to_numpy()
    return descriptions.astype(dict.fromkeys(_NULLABLE_INTEGERS, "Int32")).assign(
        split=images["split"].to_numpy()[rows], class_id=images["class_id"].to_numpy()[rows]
    )


def _conform(frame: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    columns = [
        pa.array(frame[field.name], field.type, from_pandas=True)
        if field.name in frame
        else pa.nulls(len(frame), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _write_items(folder: Path, name: str, items: Iterable[bytes]) -> int:
    count = 0
    with RaggedWriter(folder, name, "uint8") as writer:
        for item in items:
            writer.append(item)
            count += 1
    return count


def _expect(what: str, got: int, expected: int) -> None:
    if got != expected:
        raise UserError(f"{what} of the corpus", got=got, expected=f"{expected}, as in its table")


def _check_numbers(column: str, numbers: pa.ChunkedArray, count: int) -> None:
    """Refuse descriptions that name a row which is not there."""
    if column in _NULLABLE_INTEGERS:
        numbers = numbers.drop_null()
    there = pc.and_(pc.greater_equal(numbers, 0), pc.less(numbers, count))
    if (wrong := pc.index(pc.fill_null(there, False), False).as_py()) >= 0:
        number = numbers[wrong].as_py()
        raise UserError(
            f"column {column!r} of the descriptions",
            got="null" if number is None else number,
            expected=f"0 to {count - 1}",
        )


def _counts(images: pd.DataFrame, descriptions: pd.DataFrame) -> dict[str, object]:
    captions = descriptions[descriptions["role"] == "caption"]
    splits = images["split"].to_numpy()
    utterances = pd.Series(splits[captions["image"].to_numpy()])
    swaps = len(descriptions) - len(captions)
    return {
        "images": _per_split(images["split"]),
        "utterances": _per_split(utterances),
        **({"swaps": swaps} if swaps else {}),
    }


def _per_split(splits: "pd.Series[Any]") -> dict[str, int]:
    counts = splits.value_counts()
    return {split: int(counts[split]) for split in SPLITS if split in counts}
