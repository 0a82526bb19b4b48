from pathlib import Path

import pytest
import torch

from s2igan.engine.curves import Curves, write_curves
from s2igan.errors import UserError


def test_a_diverged_loss_stops_with_its_name() -> None:
    curves = Curves("SEN", "lower sen.lr")
    nan = torch.tensor(float("nan"))
    curves.add({"loss": nan, "G_8": nan, "D_8": torch.tensor(1.0)})  # the sum of others is no news
    with pytest.raises(UserError, match=r"^loss 'G_8' of SEN at step 7; .*; lower sen.lr$"):
        curves.close_row(7)


def test_curves_average_what_was_there(tmp_path: Path) -> None:
    curves = Curves("SEN", "lower sen.lr")
    terms = {"a": torch.tensor(1.0), "b": torch.tensor(4.0)}
    curves.add(terms)
    terms["a"].fill_(2.0)  # a captured step writes its next loss into the same place
    curves.add({"a": terms["a"]})
    assert curves.close_row(2) == {"a": 1.5, "b": 4.0}
    curves.add({"a": torch.tensor(3.0)})
    assert curves.close_row(3, lr=0.5) == {"a": 3.0, "lr": 0.5}
    curves.add({"a": torch.tensor(0.12345678)})
    curves.close_row(1_234_567)
    write_curves(tmp_path / "curves.tsv", curves.rows)
    text = (tmp_path / "curves.tsv").read_text()
    assert text == "step\ta\tb\tlr\n2\t1.5\t4\t\n3\t3\t\t0.5\n1234567\t0.123457\t\t\n"
