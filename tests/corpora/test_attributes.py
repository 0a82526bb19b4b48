from s2igan.corpora.attributes import ATTRIBUTES, COLOUR_PARTS, COLOURS, VALUES


def test_order_of_attributes_and_values_is_fixed() -> None:
    # Readers' logits are stored in this order: shipped weights depend on it.
    assert ATTRIBUTES == ("crown", "back", "belly", "wing", "tail", "wing_bars", "size", "bill")
    assert COLOURS == ("red", "yellow", "green", "blue", "brown", "black", "white", "grey")
    assert VALUES["wing_bars"] == ("plain", "barred")
    assert VALUES["size"] == ("small", "medium", "large")
    assert VALUES["bill"] == ("short", "long", "hooked")


def test_every_part_takes_every_colour() -> None:
    assert ATTRIBUTES[:5] == COLOUR_PARTS
    assert all(VALUES[part] == COLOURS for part in COLOUR_PARTS)
