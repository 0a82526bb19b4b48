import pytest

from s2igan.corpora.attributes import COLOURS
from s2igan.serving.colour_words import colour_words, with_colour
from s2igan.serving.language import ENGLISH, INDONESIAN, Language

SENTENCE = "Red wings, a red-crowned head and a yellow belly."


def test_colours_are_found_with_what_follows_them() -> None:
    labels = [word.label for word in colour_words(SENTENCE, ENGLISH)]
    assert labels == ["red wings", "red-crowned", "yellow belly"]


def test_words_that_only_hold_a_colour_are_none() -> None:
    assert colour_words("A tired, reddish bird in the greenery.", ENGLISH) == []


def test_two_words_of_one_label_can_be_told_apart() -> None:
    sentence = "A red wing beside a red wing and a red"
    labels = [word.label for word in colour_words(sentence, ENGLISH)]
    assert labels == ["red wing", "red wing (2)", "red"]


@pytest.mark.parametrize(
    ("index", "changed"),
    [
        (0, "Blue wings, a red-crowned head and a yellow belly."),
        (1, "Red wings, a blue-crowned head and a yellow belly."),
        (2, "Red wings, a red-crowned head and a blue belly."),
    ],
)
def test_only_the_chosen_word_changes(index: int, changed: str) -> None:
    assert with_colour(SENTENCE, colour_words(SENTENCE, ENGLISH)[index], "blue") == changed


def test_in_indonesian_a_colour_follows_what_has_it() -> None:
    sentence = "Mahkotanya abu-abu, ekor merah tua dan Merah."
    words = colour_words(sentence, INDONESIAN)
    assert [word.label for word in words] == ["mahkotanya abu-abu", "ekor merah", "dan merah"]
    assert with_colour(sentence, words[0], "biru") == "Mahkotanya biru, ekor merah tua dan Merah."
    assert colour_words(SENTENCE, INDONESIAN) == []


@pytest.mark.parametrize("language", [ENGLISH, INDONESIAN])
def test_every_example_has_a_colour_to_change(language: Language) -> None:
    assert all(colour_words(example, language) for example in language.examples)
    assert len(language.colours) == len(COLOURS)
