"""What stands in the way of a remote, in the words of the one who can clear it."""

from s2igan.engine.shortage import causes, disk_is_full
from s2igan.errors import UserError

AGAIN = "run the same command again, it goes on with what is missing"
PUSH = "whoever computed it runs `make push`; or compute it with `dvc repro`"
ANEW = "delete that object in the bucket, then whoever computed it runs `make push`"
_KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_BAD_ENDPOINT = "Invalid endpoint: "  # of botocore, which has no class for it
_BUCKET = "name another with `make remote URL=s3://bucket/folder`"
_ENDPOINT = (
    "write AWS_ENDPOINT_URL, or ENDPOINT of `make remote`, as https://host or https://host:port, "
    "the host in letters, digits, dots and hyphens"
)
_PROFILE = "set AWS_PROFILE to one that ~/.aws/credentials or ~/.aws/config has"
_REFUSED = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
_FORBIDDEN = {"AccessDenied", "Forbidden", "403"}
_LOST = {"NoSuchKey", "404"}
_LONGEST = 200


def remote_trouble(address: str, error: BaseException, *, transferred: bool) -> UserError:
    """Tell in one line why a remote did not do what was asked.

    Args:
        address: of the remote, such as ``s3://bucket/folder``.
        error: what DVC, or the library beneath it, raised.
        transferred: whether the remote had answered before.
    """
    chain = list(causes(error))
    code = next(filter(None, map(_answer_code, chain)), None)
    got, fix = _answered(address, code, error) if code else _unanswered(chain, transferred)
    return UserError(f"remote {address!r}", got=got, fix=fix)


def _answered(address: str, code: str, error: BaseException) -> tuple[str, str]:
    bucket = address.partition("://")[2].split("/")[0]
    if code == "NoSuchBucket":
        return f"an answer that there is no bucket {bucket!r}", f"create it, or {_BUCKET}"
    if code in _REFUSED:
        return f"credentials that are not accepted ({code})", _KEYS
    if code in _FORBIDDEN:
        return (
            f"credentials that may not use bucket {bucket!r} ({code})",
            f"{_KEYS}, and that they may list, read and write it",
        )
    if code in _LOST:
        return "an answer that a file of an output is not there", PUSH
    return one_line(error), AGAIN


def _unanswered(chain: list[BaseException], transferred: bool) -> tuple[str, str]:
    error = chain[0]
    if any(type(link).__name__.endswith("CredentialsError") for link in chain):
        return "no credentials", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    if any(type(link).__name__ == "ProfileNotFound" for link in chain):
        return one_line(error), _PROFILE
    if any(isinstance(link, ValueError) and _BAD_ENDPOINT in str(link) for link in chain):
        return one_line(error), _ENDPOINT
    if any(type(link).__name__ == "ParamValidationError" for link in chain):
        return one_line(error), _BUCKET
    if any(type(link).__name__ == "ObjectFormatError" for link in chain):
        return f"damaged bytes there ({one_line(error)})", ANEW
    if disk_is_full(error):
        return "a full disk here", f"make room, then {AGAIN}"
    if any(_is_connection(link) for link in chain):
        if transferred:
            return f"a connection that broke ({one_line(error)})", AGAIN
        return (
            f"no connection ({one_line(error)})",
            "check the network, and the endpoint in .dvc/config or AWS_ENDPOINT_URL",
        )
    return one_line(error), AGAIN


def _is_connection(error: BaseException) -> bool:
    from botocore.exceptions import (  # type: ignore[import-untyped]
        ConnectionError as S3ConnectionError,
    )
    from botocore.exceptions import HTTPClientError, IncompleteReadError

    library = type(error).__module__.split(".")[0]
    kinds = (S3ConnectionError, HTTPClientError, IncompleteReadError, ConnectionError, TimeoutError)
    return isinstance(error, kinds) or library == "aiohttp"


def _answer_code(error: BaseException) -> str | None:
    """Return the code in a server's answer, as botocore keeps it."""
    response = getattr(error, "response", None)
    return str(response["Error"].get("Code")) if isinstance(response, dict) else None


def one_line(error: BaseException) -> str:
    """Return the message of an error, without line breaks and a last full stop, not without end."""
    words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
