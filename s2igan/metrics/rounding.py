"""How many digits of a figure are worth reading."""


def rounded(value: float, *, signed: bool = False) -> str:
    """Write a figure with about three digits that count, ``signed`` with a plus, too."""
    decimals = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
    return f"{value:{'+' if signed else ''}.{decimals}f}"
