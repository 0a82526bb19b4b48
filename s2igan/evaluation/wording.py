"""What protocols call the things that pictures are alike in and that splits are made of."""

from s2igan.corpora.index import Corpus


def noun_of(corpus: Corpus) -> str:
    """Name what makes a picture relevant to another.

    Returns:
        ``species`` for the birds and flowers, ``class`` for the pictures of a user, ``picture``
        where there are no classes and every picture is like itself alone.
    """
    if not corpus.has_classes:
        return "picture"
    return "class" if corpus.info["kind"] == "recorded" else "species"


def units_of(corpus: Corpus) -> str:
    """Name what belongs to one split as a whole: ``classes``, or ``pictures`` without classes."""
    return "classes" if corpus.has_classes else "pictures"
