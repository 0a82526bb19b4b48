"""Where a sentence is cut."""

import pytest

from s2igan.speech.pieces import LONGEST, pieces_of


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a red bird, with a blue wing.", ["a red bird,", "with a blue wing."]),
        ("it is red. its wing is blue.", ["it is red.", "its wing is blue."]),
        # A mark near an end would leave a piece of nearly the whole.
        ("so, this bird has a red wing.", ["so, this bird,", "has a red wing."]),
        ("one two three four", ["one two,", "three four,"]),
        ("flower.", ["flower."]),
    ],
)
def test_a_cut_lies_near_the_middle_behind_a_mark_or_between_words(
    text: str, pieces: list[str]
) -> None:
    assert pieces_of(text) == pieces


def test_no_piece_is_long_and_none_of_the_words_is_lost() -> None:
    text = ", ".join(f"feather {number} of a bird that is as red as fire" for number in range(9))
    pieces = pieces_of(text)
    assert all(len(piece) <= LONGEST for piece in pieces)
    assert len(pieces) > len(text) / LONGEST
    assert " ".join(pieces).replace(",", "").split() == text.replace(",", "").split()


def test_a_word_longer_than_a_piece_stays_whole() -> None:
    word = "a" * 2 * LONGEST
    assert pieces_of(f"{word} b.") == [f"{word},", "b."]
