"""MiniBirds as a corpus folder."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from s2igan.corpora.attributes import ATTRIBUTES, COLOUR_PARTS, VALUES
from s2igan.corpora.index import write_corpus
from s2igan.corpora.minibirds.captions import Caption
from s2igan.corpora.minibirds.config import MinibirdsConfig
from s2igan.corpora.minibirds.drawings import Drawing, describe_drawing, encode_drawing
from s2igan.corpora.minibirds.grammar import GRAMMARS
from s2igan.corpora.minibirds.species import Species, choose_species, read_species
from s2igan.corpora.task import Task
from s2igan.engine.progress import bar
from s2igan.engine.workers import parallel_map
from s2igan.errors import UserError

_VAL_CLASSES, _SWAPS = 3, 4
_UNDESCRIBED = ("reference", "floor")


def build(config: MinibirdsConfig, task: Task) -> None:
    """Draw and describe MiniBirds.

    Args:
        config: how much is drawn.
        task: its seed draws the validation species, every drawing and every caption; the same seed
            gives the same bytes, whatever the number of workers.

    Raises:
        UserError: if the manifest is not sound, or asks for more than it holds.
    """
    seed, workers = task.seed, task.workers
    rng = np.random.default_rng((seed, _VAL_CLASSES))
    species = choose_species(read_species(task.manifest), config.species, task.val_classes, rng)
    drawings = plan(config, species, seed)
    described = [one for one in drawings if one.split not in _UNDESCRIBED]
    describing = parallel_map(partial(describe_drawing, config.language), described, workers)
    captions = list(bar(describing, "captions", total=len(described)))
    pictures = bar(parallel_map(encode_drawing, drawings, workers), "drawings", total=len(drawings))
    rows = _caption_rows(captions)
    swaps = draw_swaps(
        described,
        captions,
        config.swap_descriptions,
        np.random.default_rng((seed, _SWAPS)),
        GRAMMARS[config.language].colours,
    )
    write_corpus(
        task.out,
        _image_table(drawings),
        pictures,
        pd.DataFrame([*rows, *swaps]),
        info={"kind": "minibirds", "edition": "drawn", "seed": seed},
    )


def plan(config: MinibirdsConfig, species: Sequence[Species], seed: int) -> list[Drawing]:
    """List all drawings, split by split and species by species.

    The undescribed ones go round the test species in turn.
    """
    counts = {
        "train": config.drawings_per_train_species,
        "val": config.drawings_per_val_species,
        "test": config.drawings_per_test_species,
    }
    drawings = [
        Drawing(seed, class_id, one.name, one.attributes, split, number)
        for split, count in counts.items()
        for class_id, one in enumerate(species)
        if one.split == split
        for number in range(count)
    ]
    test = [(class_id, one) for class_id, one in enumerate(species) if one.split == "test"]
    for split in _UNDESCRIBED:
        for row in range(config.reference_drawings):
            number, turn = divmod(row, len(test))
            class_id, one = test[turn]
            drawings.append(Drawing(seed, class_id, one.name, one.attributes, split, number))
    return drawings


def draw_swaps(
    drawings: Sequence[Drawing],
    captions: Sequence[Sequence[Caption]],
    count: int,
    rng: np.random.Generator,
    words: Mapping[str, str],
) -> list[dict[str, object]]:
    """Make description rows in which one colour word of a test caption is another.

    Args:
        drawings: the described drawings, as the index lists them.
        captions: those of each drawing.
        count: number of rows; the parts of the bird take turns, no caption is used twice.
        rng: draws captions and colours.
        words: the word for every colour, in the language of the captions.

    Returns:
        Rows of :data:`s2igan.corpora.index.DESCRIPTION_SCHEMA`, by the caption they come from.

    Raises:
        UserError: if too few test captions name a colour that can be exchanged alone.
    """
    first_row = np.cumsum([0, *(len(ten) for ten in captions)])
    candidates = [
        (image, position)
        for image, drawing in enumerate(drawings)
        if drawing.split == "test"
        for position in range(len(captions[image]))
    ]
    waiting = [candidates[i] for i in rng.permutation(len(candidates))]
    rows: dict[int, dict[str, object]] = {}
    for turn in range(count):
        part = COLOUR_PARTS[turn % len(COLOUR_PARTS)]
        place = next((at for at in waiting if part in captions[at[0]][at[1]].swappable), None)
        if place is None:
            raise UserError(
                "corpus.minibirds.swap_descriptions",
                got=count,
                expected=f"at most {turn} with this many test captions",
                fix="lower it or raise corpus.minibirds.drawings_per_test_species",
            )
        waiting.remove(place)
        image, position = place
        others = [value for value in VALUES[part] if value != drawings[image].attributes[part]]
        colour = others[int(rng.integers(len(others)))]
        caption, row = captions[image][position], int(first_row[image]) + position
        rows[row] = {
            **_row(image, position, caption.swapped(part, words[colour]), "swap", caption.mentions),
            "swap_of": row,
            "swap_attribute": part,
            "swap_value": colour,
        }
    return [rows[row] for row in sorted(rows)]


def _caption_rows(captions: Sequence[Sequence[Caption]]) -> list[dict[str, object]]:
    return [
        _row(image, position, caption.text, "caption", caption.mentions)
        for image, ten in enumerate(captions)
        for position, caption in enumerate(ten)
    ]


def _row(
    image: int, position: int, text: str, role: str, mentions: Sequence[str]
) -> dict[str, object]:
    return {
        "image": image,
        "position": position,
        "text": text,
        "role": role,
        "mentions": list(mentions),
    }


def _image_table(drawings: Sequence[Drawing]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "name": f"bird_{number:05d}.jpg",
                "class_id": drawing.class_id,
                "class_name": drawing.class_name,
                "split": drawing.split,
                **{name: drawing.attributes[name] for name in ATTRIBUTES},
            }
            for number, drawing in enumerate(drawings, 1)
        ]
    )
