from collections.abc import Callable

import pytest
from pydantic import ValidationError

from s2igan.engine.section import Section, field_problems


class Steps(Section):
    steps: int


def told(value: object) -> str:
    with pytest.raises(ValidationError) as error:
        Steps.model_validate({"steps": value})
    (problem,) = field_problems(error.value)
    return problem


@pytest.mark.parametrize(
    "value",
    [None, 0.5, "many", [], {}, [[1], ["a", None]], {"a": [1, {"b": 2.0}], 3: {}}, (1, [2]), ([],)],
    ids=repr,
)
def test_a_short_value_is_shown_as_python_writes_it(value: object) -> None:
    assert told(value) == f"steps: got {value!r}; expected a valid integer"


@pytest.mark.parametrize(
    "value",
    ["a" * 59, [10] * 16, ((10,),) * 16, [[[]] * 9] * 9, {"key": {"of": [1.5] * 12}}],
    ids=str,
)
def test_a_long_value_is_cut(value: object) -> None:
    assert len(repr(value)) > 60
    assert told(value) == f"steps: got {repr(value)[:59]}…; expected a valid integer"


class Unseen:
    def __repr__(self) -> str:
        pytest.fail("what is not shown was written")


def a_loop() -> list[object]:
    loop: list[object] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: [*[0] * 30, Unseen()], repr([0] * 30)[:59]),
        (lambda: {**{str(key): 0 for key in range(9)}, "z": Unseen()}, "{'0': 0, '1': 0, '2': 0, "),
        (a_loop, "[" * 59),
    ],
    ids=["list", "mapping", "loop"],
)
def test_no_more_of_a_value_is_looked_at_than_is_shown(
    make: Callable[[], object], shown: str
) -> None:
    assert told(make()).startswith(f"steps: got {shown}")
