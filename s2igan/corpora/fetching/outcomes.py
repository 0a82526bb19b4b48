"""How a transfer may end other than well."""


class RefusedError(Exception):
    """An address does not give the file, and asking it again would change nothing."""


class BrokenOffError(Exception):
    """A transfer stopped on its way; asking again may bring the rest."""


class ChangedError(BrokenOffError):
    """What has arrived so far cannot be continued; asking again begins at the first byte."""


class UnreachableError(BrokenOffError):
    """The server cannot be found; asking again helps only where it has been found before."""
