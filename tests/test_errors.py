from s2igan.errors import UserError


def test_a_message_tells_what_got_expected_and_what_to_do() -> None:
    error = UserError("rdg.steps", got=0, expected="at least 1", fix="raise it")
    assert str(error) == "rdg.steps; got 0; expected at least 1; raise it"


def test_parts_that_are_unknown_are_left_out() -> None:
    assert str(UserError("the disk is full")) == "the disk is full"
