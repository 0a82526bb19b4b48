import pytest

from s2igan.errors import UserError, gist


def test_a_message_tells_what_got_expected_and_what_to_do() -> None:
    error = UserError("rdg.steps", got=0, expected="at least 1", fix="raise it")
    assert str(error) == "rdg.steps; got 0; expected at least 1; raise it"


def test_parts_that_are_unknown_are_left_out() -> None:
    assert str(UserError("the disk is full")) == "the disk is full"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "ValueError"),
        ("no\n\tkey a.b. Set `x`\nto go on.", "ValueError: no key a.b"),
        ("a" * 300, "ValueError: " + "a" * 200),
    ],
)
def test_of_an_error_its_name_and_first_sentence_are_told(said: str, told: str) -> None:
    assert gist(ValueError(said)) == told
