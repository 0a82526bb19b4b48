"""Files in buckets of S3 and of whatever speaks its language (``AWS_ENDPOINT_URL``)."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from urllib3.exceptions import NameResolutionError

from s2igan.corpora.fetching.http import TIMEOUT_S
from s2igan.corpora.fetching.outcomes import (
    BrokenOffError,
    ChangedError,
    RefusedError,
    UnreachableError,
)
from s2igan.corpora.fetching.source import Answer

_CHUNK_BYTES = 2**18
_BUSY = frozenset({"SlowDown", "RequestTimeout", "Throttling", "ThrottlingException"})
_NO_KEY = "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"


@dataclass(frozen=True)
class S3Source:
    """A file at ``s3://<bucket>/<key>``; endpoint, region and credentials are boto3's own."""

    address: str

    @contextmanager
    def open(self, start: int, tag: str | None) -> Iterator[Answer]:  # noqa: ARG002
        """Ask for the file from byte ``start`` on; see :class:`source.Source`.

        Every answer carries the tag of its version, so that none has to be asked for.

        Raises:
            RefusedError: if credentials, bucket or key are missing or refused.
            ChangedError: if the file has no such byte.
            UnreachableError: if there is no such endpoint, or no network.
            BrokenOffError: if the server is busy, or the connection breaks.
        """
        from botocore.exceptions import (  # type: ignore[import-untyped]
            BotoCoreError,
            ClientError,
        )

        try:
            got = self._ask(start)
            with closing(got["Body"]) as body:
                total = start + int(got["ContentLength"])
                yield Answer(start, total, got.get("ETag"), body.iter_chunks(_CHUNK_BYTES))
        except ClientError as error:
            raise self._outcome(error.response) from error
        except BotoCoreError as error:
            raise _outcome_of_connection(error) from error

    def _ask(self, start: int) -> dict[str, Any]:
        bucket, key = self._place
        rest = {"Range": f"bytes={start}-"} if start else {}
        try:
            answer: dict[str, Any] = self._client.get_object(Bucket=bucket, Key=key, **rest)
        except ValueError as error:  # botocore has no class for an endpoint that is no address
            raise RefusedError(f"is asked for at what is no address ({error})") from error
        return answer

    @cached_property
    def _client(self) -> Any:
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]

        connect_s, read_s = TIMEOUT_S
        # Attempts are counted by the transfer, which knows what has arrived.
        config = Config(
            connect_timeout=connect_s, read_timeout=read_s, retries={"total_max_attempts": 1}
        )
        return boto3.session.Session().client("s3", config=config)

    @property
    def _place(self) -> tuple[str, str]:
        bucket, _, key = self.address.removeprefix("s3://").partition("/")
        return bucket, key

    def _outcome(self, response: dict[str, Any]) -> RefusedError | BrokenOffError:
        bucket, key = self._place
        code = str(response["Error"].get("Code"))
        status = int(response["ResponseMetadata"].get("HTTPStatusCode", 0))
        if status >= 500 or status == 429 or code in _BUSY:
            return BrokenOffError(f"answers {status}" + ("" if code.isdigit() else f" {code}"))
        match code:
            case "InvalidRange" | "416":
                return ChangedError("the file is shorter than what has arrived")
            case "NoSuchBucket":
                return RefusedError(f"there is no bucket {bucket!r}")
            case "NoSuchKey" | "404":
                return RefusedError(f"bucket {bucket!r} has no {key!r}")
            case "AccessDenied" | "403":
                return RefusedError(f"these credentials may not read bucket {bucket!r}")
            case "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken":
                return RefusedError(f"the credentials are not accepted ({code})")
        return RefusedError(f"answers {status} {code}: {response['Error'].get('Message')}")


def _outcome_of_connection(error: Exception) -> RefusedError | BrokenOffError:
    from botocore import exceptions  # type: ignore[import-untyped]

    words = " ".join(str(error).split())
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return RefusedError(_NO_KEY)
    if isinstance(error, exceptions.EndpointConnectionError) and isinstance(
        error.kwargs.get("error"), NameResolutionError
    ):
        return UnreachableError(f"cannot be reached ({words})")
    if isinstance(error, exceptions.FlexibleChecksumError):
        return ChangedError(f"the bytes were spoilt on their way ({words})")
    broken = (
        exceptions.HTTPClientError,
        exceptions.ConnectionError,
        exceptions.IncompleteReadError,
    )
    return (
        BrokenOffError(f"the connection broke ({words})")
        if isinstance(error, broken)
        else RefusedError(words)
    )
