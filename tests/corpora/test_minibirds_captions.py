import re
from collections import Counter

import numpy as np
import pytest

from s2igan.corpora.attributes import ATTRIBUTES, COLOUR_PARTS, COLOURS, VALUES
from s2igan.corpora.minibirds.captions import Caption, describe
from s2igan.corpora.minibirds.grammar import GRAMMARS
from s2igan.corpora.minibirds.sentences import Speaker, _with_its
from s2igan.corpora.minibirds.vocabulary import TONES

ENGLISH = GRAMMARS["english"]

COLOUR = f"(?:{'|'.join(COLOURS)})"
# Written without a look at the grammar's tables: the words by which a listener knows the attribute.
HEARD = {
    "crown": r"\b(?:crown|crowned|cap|capped|top of the head)\b",
    "back": r"\b(?:back|backed|mantle)\b",
    "belly": r"\b(?:belly|bellied|breast|breasted|underside|underneath|below)\b",
    "wing": rf"\b{COLOUR}(?: |-| on the )wing|wings are (?:\w+ )?{COLOUR}",
    "tail": r"\btail",
    "wing_bars": r"\b(?:\w*-?barred|unmarked|plain|bars)\b",
    "size": r"\b(?:small|little|tiny|medium-sized|mid-sized|middle-sized|large|big|hefty)\b",
    "bill": r"\b(?:bill|beak|\w+-billed)\b",
}


def random_attributes(rng: np.random.Generator) -> dict[str, str]:
    return {name: str(rng.choice(values)) for name, values in VALUES.items()}


@pytest.fixture(scope="module")
def spoken() -> list[tuple[dict[str, str], list[Caption]]]:
    rng = np.random.default_rng(0)
    birds = [random_attributes(rng) for _ in range(200)]
    return [
        (one, describe(one, np.random.default_rng(row), ENGLISH)) for row, one in enumerate(birds)
    ]


def test_captions_are_decided_by_attributes_and_generator() -> None:
    attributes = random_attributes(np.random.default_rng(1))
    one, again, other = (
        describe(attributes, np.random.default_rng(seed), ENGLISH) for seed in (2, 2, 3)
    )
    assert one == again
    assert one != other


def test_ten_different_sentences_of_ten_to_eighteen_words(
    spoken: list[tuple[dict[str, str], list[Caption]]],
) -> None:
    for _, captions in spoken:
        assert len({caption.text for caption in captions}) == 10
        for caption in captions:
            assert 10 <= len(caption.text.split()) <= 18
            assert re.fullmatch(r"[A-Z][a-z ,;-]+\.", caption.text)


def test_mentions_are_what_a_listener_hears(
    spoken: list[tuple[dict[str, str], list[Caption]]],
) -> None:
    for _, captions in spoken:
        for caption in captions:
            text = caption.text.lower()
            heard = tuple(name for name in ATTRIBUTES if re.search(HEARD[name], text))
            assert heard == caption.mentions, caption.text


def test_only_true_colours_are_said(spoken: list[tuple[dict[str, str], list[Caption]]]) -> None:
    for attributes, captions in spoken:
        for caption in captions:
            said = set(re.findall(rf"\b{COLOUR}\b", caption.text.lower()))
            assert said == {attributes[part] for part in caption.mentions if part in COLOUR_PARTS}


def test_other_attributes_are_said_truly(
    spoken: list[tuple[dict[str, str], list[Caption]]],
) -> None:
    words = {
        "small": ("small", "little", "tiny"),
        "medium": ("medium-sized", "mid-sized", "middle-sized"),
        "large": ("large", "big", "hefty"),
        "long": ("long",),
        "hooked": ("hook",),
        "short": ("short", "stubby"),
        "plain": ("plain", "unmarked", "unbarred", "no wing bars", "no bars"),
        "barred": (" barred", "-barred", "two wing bars", "two bars"),
    }
    for attributes, captions in spoken:
        for caption in captions:
            text = f" {caption.text.lower()}"
            for name in caption.mentions:
                if name not in COLOUR_PARTS:
                    assert any(word in text for word in words[attributes[name]]), caption.text


def test_four_to_six_attributes_and_each_part_in_two_thirds(
    spoken: list[tuple[dict[str, str], list[Caption]]],
) -> None:
    captions = [caption for _, ten in spoken for caption in ten]
    assert {len(caption.mentions) for caption in captions} == {4, 5, 6}
    counts = Counter(name for caption in captions for name in caption.mentions)
    for part in COLOUR_PARTS:
        assert 0.6 < counts[part] / len(captions) < 0.7
    for name in ATTRIBUTES[len(COLOUR_PARTS) :]:
        assert 0.35 < counts[name] / len(captions) < 0.65


def test_articles_fit(spoken: list[tuple[dict[str, str], list[Caption]]]) -> None:
    for _, captions in spoken:
        for caption in captions:
            assert not re.search(r"\ba (?:[aeiou]|\w+ (?:wings|feathers)\b)", caption.text.lower())
            assert "{" not in caption.text


def test_wording_varies(spoken: list[tuple[dict[str, str], list[Caption]]]) -> None:
    texts = [caption.text for _, ten in spoken for caption in ten]
    skeletons = Counter(re.sub(rf"\b{COLOUR}\b", "_", text) for text in texts)
    assert skeletons.most_common(1)[0][1] < 5
    assert len({word for text in texts for word in text.lower().split()}) > 120


def test_a_swap_changes_one_colour_word_and_nothing_else(
    spoken: list[tuple[dict[str, str], list[Caption]]],
) -> None:
    swappable: Counter[str] = Counter()
    for attributes, captions in spoken:
        for caption in captions:
            for part, (start, end) in caption.swappable.items():
                swappable[part] += 1
                assert part in caption.mentions
                assert caption.text[start:end] == attributes[part]
                swapped = caption.swapped(part, "purple")
                assert swapped.count("purple") == 1
                assert swapped.replace("purple", attributes[part]) == caption.text
    assert min(swappable[part] for part in COLOUR_PARTS) > 500


def test_a_colour_behind_a_tone_is_not_swapped() -> None:
    toned = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        attributes = random_attributes(rng)
        speaker = Speaker(attributes, rng)
        sentence = _with_its(speaker, ["back", "wing_bars"])
        if any(f" {tone} {{back}}" in sentence for tone in TONES[attributes["back"]]):
            toned += 1
            assert "back" not in speaker.unaltered, sentence
    assert toned > 20


def test_a_colour_word_for_two_parts_is_not_swapped() -> None:
    attributes = random_attributes(np.random.default_rng(4)) | dict.fromkeys(COLOUR_PARTS, "red")
    rng = np.random.default_rng(5)
    shared = 0
    for _ in range(40):
        for caption in describe(attributes, rng, ENGLISH):
            colours = len(re.findall(r"\bred\b", caption.text.lower()))
            parts = [part for part in caption.mentions if part in COLOUR_PARTS]
            if colours < len(parts):
                shared += 1
                assert len(caption.swappable) <= colours - 1
    assert shared > 50
