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
