"""What a model says of itself in words: the README of an exported one, and ``s2igan info``."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from s2igan.serving.card import heard_one_synthesiser, is_minibirds
from s2igan.serving.figures import Figure, headlines, number
from s2igan.serving.networks import Networks
from s2igan.serving.origin import hears_by_sen
from s2igan.speech.config import split_voice

README = "README.md"
_WIDTH = 100

Card = Mapping[str, Any]


def model_card(card: Card, networks: Networks, size: int) -> str:
    """Return the model card, Markdown.

    Args:
        card: see :mod:`s2igan.serving.card`.
        networks: the networks that it describes.
        size: of the stored model, bytes.
    """
    side = networks.generator.sizes[-1]
    rate_hz = networks.encoder_description["mel"]["sample_rate_hz"]
    paragraphs = [
        f"# {card.get('name', 'S2IGAN')}",
        f"Speech in, a picture of {side} × {side} pixels out, with no text in between: the speech "
        "embedding network and the densely-stacked generator of S2IGAN (Wang, Qiao, Zhu, Hanjalic "
        "and Scharenborg, Interspeech 2020), in an independent implementation.",
        "```\ns2igan speak clip.wav -o picture.png --model <this folder>\n```",
        "## What it was trained on",
        *_training(card),
        f"It listens at {rate_hz:,} Hz; recordings of any rate are brought there, silence at their "
        "ends is cut, and their level is set as the training speech had it.",
        "## Figures",
        *_figure_table(list(headlines(card))),
        "## Limits",
        *_limits(card),
        "## Files",
        _files(networks, size),
        "## Licence",
        f"Weights: {card.get('licence', 'not stated')}.",
        *_sources(card),
    ]
    return "\n\n".join(_folded(paragraph) for paragraph in paragraphs) + "\n"


def summary(card: Card, networks: Networks, folder: str, size: int) -> str:
    """Return what ``s2igan info`` prints, at most 100 columns wide but for a longer path."""
    lines = [str(card.get("name", "S2IGAN, a model without a card")), ""]
    lines.append(f"{'folder':12}{folder} ({size / 1e6:.1f} MB)")  # as it is, to be copied
    rows = {
        "picture": f"{networks.generator.sizes[-1]} × {networks.generator.sizes[-1]} pixels",
        "listens at": f"{networks.encoder_description['mel']['sample_rate_hz']:,} Hz",
        "weights": f"{_weights(networks.encoder):,} in the speech encoder, "
        f"{_weights(networks.generator):,} in the generator",
        "trained on": " ".join(_training(card)) or "not stated",
        "licence": str(card.get("licence", "not stated")),
    }
    for name, text in rows.items():
        lines += textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=f"{name:12}",
            subsequent_indent=" " * 12,
            break_on_hyphens=False,
        )
    return "\n".join([*lines, "", *_figure_lines(list(headlines(card)))]) + "\n"


def _training(card: Card) -> list[str]:
    paragraphs = []
    if corpus := card.get("corpus"):
        counts = card.get("counts", {})
        pictures, spoken = (counts.get(key, {}) for key in ("images", "utterances"))
        sizes = (
            f": {pictures['train']:,} training pictures, {spoken['train']:,} spoken descriptions"
            if "train" in pictures and "train" in spoken
            else ""
        )
        language = corpus.get("minibirds", {}).get("language") if is_minibirds(card) else None
        told = f", described in {language.capitalize()}" if language else ""
        paragraphs.append(f"Corpus {corpus['kind']}, edition {corpus['edition']}{told}{sizes}.")
    if tts := card.get("tts"):
        paragraphs.append(_voice(tts))
    if "sen" in card and "rdg" in card:
        paragraphs.append(_networks(card))
    return paragraphs


def _networks(card: Card) -> str:
    sen, rdg = card["sen"], card["rdg"]
    length = f"for {rdg['steps']:,} steps of {rdg['batch_size']} pictures"
    if hears_by_sen(card):
        return (
            f"The speech encoder was trained for {sen['steps']:,} steps of {sen['batch']} pairs, "
            f"the generator {length}."
        )
    if rdg["speech_encoder"] == "untrained":
        return f"The speech encoder was not trained, the generator was, {length}."
    return f"The speech encoder was trained together with the generator, {length}."


def _voice(tts: Mapping[str, Any]) -> str:
    if tts["engine"] == "espeak":
        rate = tts["rate_wpm"]
        others = tts.get("test_voices")
        judged = f" The figures were taken with others, {', '.join(others)}." if others else ""
        return (
            f"Its descriptions were spoken by {_synthesisers(tts['voices'])}, at {rate['low']} to "
            f"{rate['high']} words per minute.{judged}"
        )
    if tts["engine"] == "tacotron2":
        return f"Its descriptions were spoken by Tacotron2 with {tts['tacotron2']['vocoder']}."
    return "Its descriptions were recorded."


def _synthesisers(voices: Iterable[str]) -> str:
    by_program: dict[str, list[str]] = {}
    for program, name in map(split_voice, voices):
        by_program.setdefault(program or "espeak-ng", []).append(name)
    *others, last = (
        f"{program} in the voices {', '.join(names)}" for program, names in by_program.items()
    )
    if not others:
        return last
    return f"{'; by '.join(others)}{';' if len(others) > 1 else ''} and by {last}"


def _limits(card: Card) -> Iterator[str]:
    if is_minibirds(card):
        yield (
            "It draws birds of the drawn corpus MiniBirds and nothing else: whatever is said, a "
            "bird comes out. It knows the words that its descriptions use, eight colours, three "
            "sizes, the shape of the bill and wing bars among them."
        )
    else:
        yield "It draws what its corpus shows and nothing else, whatever is said."
    if heard_one_synthesiser(card):
        yield (
            "It has heard one synthesiser alone and understands other voices much worse than the "
            "figures above say of that."
        )
    elif card.get("tts", {}).get("engine") == "espeak":
        yield (
            "It has heard synthetic voices alone and may understand people worse than the figures "
            "above say of those."
        )


def _figure_table(figures: list[Figure]) -> list[str]:
    if not figures:
        return ["None were taken of this model."]
    rows = ["| figure | value | 95 % interval | chance |", "|---|---|---|---|"]
    for figure in figures:
        cells = (figure.name, number(figure.value), _interval(figure), number(figure.chance))
        rows.append(f"| {' | '.join(cells)} |")
    return ["\n".join(rows), *_protocols(figures)]


def _protocols(figures: list[Figure]) -> Iterator[str]:
    """Yield how the figures were taken; what figures of one kind share is said once."""
    for kind in dict.fromkeys(figure.kind for figure in figures):
        alike = [figure for figure in figures if figure.kind == kind]
        shared = [
            sentence
            for sentence in alike[0].protocol
            if all(sentence in figure.protocol for figure in alike)
        ]
        if len(alike) > 1 and shared:
            yield f"All figures of {kind}: {'; '.join(shared)}."
        for figure in alike:
            own = [s for s in figure.protocol if len(alike) == 1 or s not in shared]
            if own:
                yield f"* {figure.name}: {'; '.join(own)}."


def _figure_lines(figures: list[Figure]) -> list[str]:
    if not figures:
        return ["figures     none were taken of this model"]
    lines = [f"{'':46}{'value':>9}{'95 % interval':>18}{'chance':>9}"]
    for figure in figures:
        lines.append(
            f"{figure.name:46}{number(figure.value):>9}{_interval(figure):>18}"
            f"{number(figure.chance):>9}".rstrip()
        )
    return [*lines, "", "The protocol of each stands in card.json."]


def _interval(figure: Figure) -> str:
    return " – ".join(number(end) for end in figure.interval) if figure.interval else ""


def _files(networks: Networks, size: int) -> str:
    encoder, generator = _weights(networks.encoder), _weights(networks.generator)
    return (
        f"`speech_encoder.safetensors` ({encoder:,} weights) with `sen.json`, its sizes and the "
        f"log-mel front end; `generator.safetensors` ({generator:,} weights) with `rdg.json`, its "
        "sizes; `card.json`, all of the above and every figure with its protocol. "
        f"{size / 1e6:.1f} MB; no file is a pickle."
    )


def _weights(module: Any) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _sources(card: Card) -> list[str]:
    return [
        f"* {source['citation'].strip()} Licence: {source['licence']}."
        for source in card.get("sources", {}).values()
    ]


def _folded(paragraph: str) -> str:
    if paragraph.startswith(("#", "|", "```")):
        return paragraph
    return textwrap.fill(
        paragraph, _WIDTH, break_on_hyphens=False, subsequent_indent="  " * (paragraph[0] == "*")
    )
