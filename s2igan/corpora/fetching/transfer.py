"""One file from one server, through as many broken connections as it takes."""

from s2igan.corpora.fetching.meter import Meter
from s2igan.corpora.fetching.outcomes import BrokenOffError, ChangedError, RefusedError
from s2igan.corpora.fetching.partial import Partial, Remark
from s2igan.corpora.fetching.patience import Patience
from s2igan.corpora.fetching.source import Answer, Source
from s2igan.corpora.fetching.space import require_space


def transfer(source: Source, partial: Partial, name: str, expected: int | None) -> None:
    """Bring all bytes of a file into ``partial``, beginning with those of earlier runs.

    Bytes of another address stay until this one sends its own.

    Args:
        source: the server.
        partial: the unfinished copy.
        name: of the file, for what is told meanwhile.
        expected: bytes of the file, where the manifest states them.

    Raises:
        RefusedError: if the server does not give the file, announces or sends another number of
            bytes, or brings the copy no further in several attempts.
        UserError: if the disk is too full.
    """
    patience = Patience(name)
    with Meter(name) as meter:
        while True:
            try:
                _attempt(source, partial, expected, meter)
                return
            except BrokenOffError as reason:
                reached = partial.size if partial.remark(source.address) else 0
                if reached and isinstance(reason, ChangedError):
                    partial.discard()
                patience.wait(reason, reached)


def _attempt(source: Source, partial: Partial, expected: int | None, meter: Meter) -> None:
    before = partial.remark(source.address)
    if before is not None and before.total == partial.size:
        return
    start = partial.size if before else 0
    with source.open(start, before.tag if before else None) as answer:
        _check_answer(answer, before, start)
        if expected is not None and answer.total not in (None, expected):
            raise RefusedError(f"announces {answer.total} bytes instead of {expected}")
        total = answer.total or expected
        # What is here already is continued, or makes room for the file from its first byte on.
        require_space(partial.path.parent, (total or 0) - partial.size)
        _receive(answer, source.address, partial, total, meter)
    if total is not None and partial.size < total:
        raise BrokenOffError(f"stopped after {partial.size} of {total} bytes")


def _check_answer(answer: Answer, before: Remark | None, start: int) -> None:
    if answer.start == 0:
        return
    if answer.start != start:
        raise ChangedError(f"sent bytes from {answer.start} on instead of {start}")
    if before is not None and (
        _differ(answer.tag, before.tag) or _differ(answer.total, before.total)
    ):
        raise ChangedError("the file has changed since its first bytes arrived")


def _differ(one: str | int | None, other: str | int | None) -> bool:
    return one is not None and other is not None and one != other


def _receive(
    answer: Answer, address: str, partial: Partial, total: int | None, meter: Meter
) -> None:
    size = answer.start
    with partial.append(Remark(address, answer.tag, answer.total), size) as file:
        meter.show(size, total)
        for chunk in answer.chunks:
            size += len(chunk)
            if total is not None and size > total:
                partial.discard()
                raise RefusedError(f"sends more than {total} bytes")
            file.write(chunk)
            meter.show(size, total)
