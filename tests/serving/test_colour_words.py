import pytest

from s2igan.serving.colour_words import colour_words, with_colour

SENTENCE = "Red wings, a red-crowned head and a yellow belly."


def test_colours_are_found_with_what_follows_them() -> None:
    labels = [word.label for word in colour_words(SENTENCE)]
    assert labels == ["red wings", "red-crowned", "yellow belly"]


def test_words_that_only_hold_a_colour_are_none() -> None:
    assert colour_words("A tired, reddish bird in the greenery.") == []


def test_two_words_of_one_label_can_be_told_apart() -> None:
    labels = [word.label for word in colour_words("A red wing beside a red wing and a red")]
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
    assert with_colour(SENTENCE, colour_words(SENTENCE)[index], "blue") == changed
