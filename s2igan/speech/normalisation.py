"""English text as Tacotron2's characters: numbers, abbreviations and symbols become words.

The alphabet is that of torchaudio's character bundles (``torchaudio.pipelines``, a tuple of 38
symbols whose order numbers them), after NVIDIA's ``english_cleaners``.
"""

import re
import unicodedata
from typing import Final

from num2words import num2words

from s2igan.errors import UserError

ALPHABET: Final = "_-!'(),.:;? abcdefghijklmnopqrstuvwxyz"
"""What Tacotron2 reads, in the order of its embedding; the first pads a batch and is never said."""

# Letters of Latin alphabets that NFKD leaves whole, and punctuation drawn in other ways.
_REDUCED = str.maketrans(
    {
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ı": "i",
        **dict.fromkeys("‘’‚‛`´ʼ′", "'"),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("[{", "("),
        **dict.fromkeys("]}", ")"),
        "⁄": "/",
    }
)

_SYMBOLS: Final = {
    "&": "and",
    "%": "percent",
    "+": "plus",
    "±": "plus or minus",
    "=": "equals",
    "/": "slash",
    "@": "at",
    "#": "number",
    "°": "degrees",
    "×": "by",
    "~": "about",
}

_ABBREVIATIONS: Final = {
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "prof": "professor",
    "approx": "approximately",
    "etc": "et cetera",
    "vs": "versus",
    "cm": "centimeters",
    "mm": "millimeters",
    "km": "kilometers",
    "kg": "kilograms",
    "ft": "feet",
    "oz": "ounces",
    "lb": "pounds",
    "lbs": "pounds",
}

_FRACTIONS: Final = {
    ("1", "2"): "one half",
    ("1", "3"): "one third",
    ("2", "3"): "two thirds",
    ("1", "4"): "one quarter",
    ("3", "4"): "three quarters",
}

# One pass each, in this order; a later one sees the words of an earlier one.
_REWRITTEN: Final = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"\be\.\s?g\b\.?", "for example"),
        (r"\bi\.\s?e\b\.?", "that is"),
        (r"\bw/o\b", "without"),
        (r"\bw/\s?(?=[a-z])", "with "),
        (r"\bst\.? (?=[a-z])", "saint "),
        (r"(?<=[0-9])\s?in\.", " inches"),
        (rf"(?<![a-z])({'|'.join(_ABBREVIATIONS)})\b\.?", lambda found: _ABBREVIATIONS[found[1]]),
        (r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))", ""),
        (r"(?<=[0-9])\s?-\s?(?=[0-9])", " to "),
        (r"(?<![\w)])-(?=\.?[0-9])", "minus "),
        (r"(?<=[0-9])\s(?=[0-9]+/[0-9])", " and "),
        (r"([0-9]/[0-9]+)(?:st|nd|rd|th)s?\b", r"\1"),
        (r"([0-9]+)(?:st|nd|rd|th)\b", lambda found: _number(found[1], ordinal=True)),
        (r"(?<=[0-9])(?=[a-z])|(?<=[a-z])(?=[0-9])", " "),
        (r"([0-9]+)/([0-9]+)", lambda found: _fraction(found[1], found[2])),
        (r"[0-9]+\.[0-9]+|(?<!\w)\.[0-9]+|[0-9]+", lambda found: _number(found[0])),
        (rf"[{re.escape(''.join(_SYMBOLS))}]", lambda found: f" {_SYMBOLS[found[0]]} "),
        (rf"[^{re.escape(ALPHABET[1:])}]+", " "),
        (r"\s+", " "),
        (r" (?=[!),.:;?])|(?<=\() ", ""),
    )
)


def normalise(text: str) -> str:
    """Write ``text`` in the alphabet of Tacotron2, closed by a mark as its training sentences are.

    Accents and ligatures are reduced to plain letters; what cannot be said, quotation marks and
    other scripts among it, is dropped. Years are read as cardinals.

    Returns:
        Characters of :data:`ALPHABET` without the first; empty if nothing can be said.
    """
    text = _plain(text)
    for pattern, words in _REWRITTEN:
        text = pattern.sub(words, text)
    text = text.strip(" ,-")
    if not any(letter.isalpha() for letter in text):
        return ""
    return text if text[-1] in "!.:;?" else f"{text}."


def speakable(text: str, name: str) -> str:
    """Normalise the text of the utterance ``name``.

    Raises:
        UserError: if nothing in it can be said.
    """
    if normalised := normalise(text):
        return normalised
    raise UserError(
        f"text of {name}",
        got=f"{text!r}, of which Tacotron2 can say nothing",
        expected="words in Latin letters, or numbers",
        fix="mend the text or take the description out of the corpus",
    )


def _plain(text: str) -> str:
    # A fraction would run into the number before it: 3½ is NFKD's 31⁄2.
    spaced = (f" {char}" if _is_fraction(char) else char for char in text)
    folded = unicodedata.normalize("NFKD", "".join(spaced)).casefold()
    bare = "".join(char for char in folded if not unicodedata.combining(char))
    return bare.translate(_REDUCED)


def _is_fraction(char: str) -> bool:
    return unicodedata.decomposition(char).startswith("<fraction>")


def _fraction(upper: str, lower: str) -> str:
    return _FRACTIONS.get((upper, lower)) or f"{_number(upper)} over {_number(lower)}"


def _number(digits: str, *, ordinal: bool = False) -> str:
    try:
        return str(num2words(digits, ordinal=ordinal))
    except (OverflowError, TypeError):  # beyond the names of numbers they are read one by one
        return " ".join(num2words(digit) for digit in digits if digit != ".")
