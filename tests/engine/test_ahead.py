import threading

import pytest

from s2igan.engine.ahead import made_ahead


def test_items_come_in_order_and_one_is_made_ahead() -> None:
    second = threading.Event()

    def make(number: int) -> int:
        if number == 4:
            second.set()
        return number * number

    items = made_ahead(make, 3, 7)
    assert next(items) == 9
    assert second.wait(60)
    assert list(items) == [16, 25, 36]
    assert list(made_ahead(make, 5, 5)) == []


def test_an_error_comes_with_its_item() -> None:
    def make(number: int) -> int:
        return 1 // (number - 1)

    items = made_ahead(make, 0, 3)
    assert next(items) == -1
    with pytest.raises(ZeroDivisionError):
        next(items)
