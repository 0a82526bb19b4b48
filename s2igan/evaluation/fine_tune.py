"""Fine-tune a network on the test classes, for the inception score.

    python -m s2igan.evaluation.fine_tune --backbone inception_v3/torchvision --layers all \\
        --out <folder of archives>/weights/fine_tuned_cub.safetensors

It learns real pictures of the test classes, as the extractor of published inception scores did,
and therefore serves the evaluation alone. A tenth of each class is held out; the share of it that
is told right stands in the file. The classifier is trained first, on features of random crops that
are computed once; with ``all``, every layer follows for as many steps again, those of the backbone
at a tenth of the learning rate. On a CPU the same command gives the same bytes.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from s2igan.corpora.fine_tuning import FineTuning, file_name
from s2igan.corpora.index import Corpus
from s2igan.engine.device import choose_device
from s2igan.engine.shortage import DISK_FULL, disk_is_full
from s2igan.errors import EXIT_USER_ERROR, UserError, refused
from s2igan.evaluation.class_training import Recipe, fine_tune
from s2igan.evaluation.fine_tuned import write_fine_tuned
from s2igan.evaluation.labelled import open_pictures
from s2igan.evaluation.networks import LIBRARY, load_judge
from s2igan.vision.names import check_judge

LEAST = {"steps": 1, "batch": 1, "views": 1, "seed": 0, "crop": 8, "size": 8}
"""Least values of the options."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fine-tune, save, and tell the accuracy.

    Bad input, and what the system refuses, is told in one line with code 2.
    """
    options = _parser().parse_args(arguments)
    try:
        facts = _run(options)
    except UserError as error:
        return _leave(str(error))
    except OSError as error:
        return _leave(DISK_FULL if disk_is_full(error) else refused(error))
    sys.stderr.write(
        f"{str(options.out)!r}: {facts.accuracy:.3f} of {facts.held_out} held-out pictures of "
        f"{len(facts.classes)} classes told right; evaluate.is_backbone: fine_tuned uses it\n"
    )
    return 0


def _leave(message: str) -> int:
    sys.stderr.write(f"fine_tune: {' '.join(message.split())}\n")
    return EXIT_USER_ERROR


def _run(options: argparse.Namespace) -> FineTuning:
    recipe = _recipe(options)
    corpus = Corpus(options.corpus)
    expected = file_name(str(corpus.info["kind"]))
    if options.out.name != expected:
        raise UserError("--out", got=repr(str(options.out)), expected=f"a file named {expected}")
    if options.out.is_dir():
        raise UserError("--out", got=f"a folder {str(options.out)!r}", expected="a file")
    with _replaced(options.out) as partial:
        pictures = open_pictures(corpus, options.features, options.crop, options.size)
        base = load_judge(options.backbone, options.weights).to(choose_device())
        network, facts = fine_tune(corpus, pictures, base, options.backbone, recipe)
        write_fine_tuned(partial, network, facts)
    return facts


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """Yield a file that takes the place of ``path`` at the end, and of which no part is left.

    A link in its place, which somebody left in a shared folder of archives, is removed.
    """
    partial = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.unlink(missing_ok=True)
    partial.touch(exist_ok=False)  # refused now, not after the training
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _recipe(options: argparse.Namespace) -> Recipe:
    for name, least in LEAST.items():
        value = getattr(options, name)
        if value is not None and value < least:
            raise UserError(f"--{name}", got=value, expected=f"at least {least}")
    if not options.lr > 0:
        raise UserError("--lr", got=options.lr, expected="more than 0")
    try:
        options.backbone = check_judge(options.backbone)
    except ValueError as error:
        raise UserError("--backbone", got=repr(options.backbone), expected=str(error)) from error
    if options.layers == "all" and options.backbone.partition("/")[0] == LIBRARY:
        raise UserError(
            "--layers",
            got=f"all with {options.backbone}, through which no gradient passes",
            fix="take head, or inception_v3/fid2015",
        )
    return Recipe(
        layers=options.layers,
        steps=options.steps,
        batch=options.batch,
        views=options.views,
        lr=options.lr,
        seed=options.seed,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m s2igan.evaluation.fine_tune",
        description="Fine-tune a network on real pictures of the test classes, so that "
        "evaluate.is_backbone: fine_tuned can take the inception score from it.",
        epilog="Put the file among the archives, as weights/fine_tuned_<kind>.safetensors, beside "
        "the weights of its backbone; the stage download takes it from there, and "
        "`dvc repro -f download` in place of an earlier one.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    folder = Path("artifacts")
    add("--corpus", type=Path, default=folder / "corpus", help="default: %(default)s")
    add("--features", type=Path, default=folder / "features", help="default: %(default)s")
    add("--weights", type=Path, default=folder / "weights", help="default: %(default)s")
    add("--backbone", required=True, help="what it begins as, e.g. inception_v3/torchvision")
    add("--layers", choices=("head", "all"), default="head", help="what learns (default: head)")
    add("--out", type=Path, required=True, help="…/fine_tuned_<kind of the corpus>.safetensors")
    add("--steps", type=int, default=Recipe.steps, help="updates (default: %(default)s)")
    add("--batch", type=int, default=Recipe.batch, help="pictures each (default: %(default)s)")
    add("--views", type=int, default=Recipe.views, help="crops of each (default: %(default)s)")
    add("--lr", type=float, default=Recipe.lr, help="of the head (default: %(default)s)")
    add("--seed", type=int, default=Recipe.seed, help="default: %(default)s")
    add("--crop", type=int, help="px cut out of packed pictures (default: 256 / 304 of them)")
    add("--size", type=int, help="px shown, those of generated pictures (default: as cut)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
