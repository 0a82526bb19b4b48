import pytest

from s2igan.errors import UserError, gist, leave


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


def test_a_line_stays_readable_however_much_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = " | ".join(f"sen.key_{number}: unknown key" for number in range(1000))
    assert leave("s2igan", f"'params.yaml': {wrong}\n; mend it") == 2
    said = capsys.readouterr().err
    assert said.startswith("s2igan: 'params.yaml': sen.key_0: unknown key | sen.key_1: unknown key")
    assert said.endswith(" | sen.key_999: unknown key ; mend it\n")
    assert len(said) < 4100
