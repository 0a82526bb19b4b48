import re
from collections import Counter

import numpy as np
import pytest

from s2igan.corpora.attributes import ATTRIBUTES, COLOUR_PARTS, VALUES
from s2igan.corpora.minibirds.captions import Caption, describe
from s2igan.corpora.minibirds.grammar import GRAMMARS

INDONESIAN = GRAMMARS["indonesian"]
COLOUR = f"(?:{'|'.join(INDONESIAN.colours.values())})"
# Written without a look at the grammar's tables: the words by which a listener knows the attribute.
HEARD = {
    "crown": r"\b(?:mahkota|kepala)",
    "back": r"\b(?:punggung|mantel)",
    "belly": r"\b(?:perut|dada|bagian bawah)",
    "wing": rf"\bsayap(?:nya)? {COLOUR}|{COLOUR}(?: \w+)? di sayap",
    "tail": r"\bekor",
    "wing_bars": r"\b(?:polos|garis|bergaris)\b",
    "size": r"\b(?:kecil|mungil|sedang|besar)\b",
    "bill": r"\bparuh\b",
}

Bird = dict[str, str]


@pytest.fixture(scope="module")
def spoken() -> list[tuple[Bird, list[Caption]]]:
    rng = np.random.default_rng(0)
    birds = [{name: str(rng.choice(of)) for name, of in VALUES.items()} for _ in range(200)]
    return [
        (bird, describe(bird, np.random.default_rng(row), INDONESIAN))
        for row, bird in enumerate(birds)
    ]


def test_mentions_are_what_a_listener_hears(spoken: list[tuple[Bird, list[Caption]]]) -> None:
    for _, captions in spoken:
        assert len({caption.text for caption in captions}) == 10
        for caption in captions:
            text = caption.text.lower().replace("sedangkan", "")
            heard = tuple(name for name in ATTRIBUTES if re.search(HEARD[name], text))
            assert heard == caption.mentions, caption.text


def test_only_true_colours_are_said(spoken: list[tuple[Bird, list[Caption]]]) -> None:
    for bird, captions in spoken:
        for caption in captions:
            said = set(re.findall(rf"(?<![\w-]){COLOUR}(?![\w-])", caption.text.lower()))
            spoken_of = (bird[part] for part in caption.mentions if part in COLOUR_PARTS)
            assert said == {INDONESIAN.colours[colour] for colour in spoken_of}, caption.text


def test_no_language_says_more_than_another(spoken: list[tuple[Bird, list[Caption]]]) -> None:
    captions = [caption for _, ten in spoken for caption in ten]
    english = [
        caption
        for row, (bird, _) in enumerate(spoken)
        for caption in describe(bird, np.random.default_rng(row), GRAMMARS["english"])
    ]
    for name in ATTRIBUTES:
        shares = [np.mean([name in one.mentions for one in said]) for said in (captions, english)]
        assert shares[0] == pytest.approx(shares[1], abs=0.05), name


def test_a_swap_changes_one_colour_word_and_nothing_else(
    spoken: list[tuple[Bird, list[Caption]]],
) -> None:
    swappable: Counter[str] = Counter()
    for bird, captions in spoken:
        for caption in captions:
            for part, (start, end) in caption.swappable.items():
                swappable[part] += 1
                word = INDONESIAN.colours[bird[part]]
                assert caption.text[start:end] == word
                swapped = caption.swapped(part, "ungu")
                assert swapped[start:].replace("ungu", word, 1) == caption.text[start:]
    assert min(swappable[part] for part in COLOUR_PARTS) > 500
