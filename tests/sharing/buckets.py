"""An S3 server of this machine, and a line to it that breaks."""

import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from unittest.mock import patch

import boto3  # type: ignore[import-untyped]
from botocore.loaders import JSONFileLoader  # type: ignore[import-untyped]
from moto.server import ThreadedMotoServer

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        endpoint: its address.
        keys: variables with credentials that it takes; nothing else of the machine's own is used.
    """

    endpoint: str
    keys: dict[str, str]

    def create_bucket(self, name: str) -> None:
        """Create an empty bucket."""
        self._client().create_bucket(Bucket=name)

    def count(self, bucket: str) -> int:
        """Return how many objects are in a bucket."""
        return int(self._client().list_objects_v2(Bucket=bucket)["KeyCount"])

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Put other bytes in the place of an object."""
        self._client().put_object(Bucket=bucket, Key=key, Body=content)

    def delete(self, bucket: str, key: str) -> None:
        """Lose an object."""
        self._client().delete_object(Bucket=bucket, Key=key)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Take no credentials within the block."""
        self._ask_for_keys_after("0")
        try:
            yield
        finally:
            self._ask_for_keys_after("inf")

    def _ask_for_keys_after(self, requests: str) -> None:
        request = urllib.request.Request(
            f"{self.endpoint}/moto-api/reset-auth",
            data=requests.encode(),
            headers={"Content-Type": "text/plain"},
        )
        urllib.request.urlopen(request).close()

    def _client(self) -> "boto3.client":
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="somebody",
            aws_secret_access_key="secret",
        )


@contextmanager
def running_server() -> Iterator[Server]:
    """Run a server without buckets within the block."""
    running = ThreadedMotoServer(ip_address=HOST, port=0)
    running.start()
    host, port = running.get_host_and_port()
    nowhere = "/nowhere"
    keys = {
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        # A refused connection is tried five times otherwise, over some seconds.
        "AWS_MAX_ATTEMPTS": "1",
        "NO_PROXY": HOST,
    }
    # Whoever connects reads a megabyte of JSON anew, which takes longer than to push and pull.
    read = cache(JSONFileLoader().load_file)
    try:
        with patch.object(JSONFileLoader, "load_file", lambda _, path: read(path)):
            yield Server(f"http://{host}:{port}", keys)
    finally:
        running.stop()


@dataclass
class Line:
    """A line to a server that breaks for good after some bytes, whichever way they go."""

    left: int
    endpoint: str = ""
    _open: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def carry(self, listener: socket.socket, port: int) -> None:
        """Connect whoever calls to ``port``, until the line is broken."""
        with suppress(OSError):
            while True:
                caller, _ = listener.accept()
                called = socket.create_connection((HOST, port))
                self._open += [caller, called]
                for ends in ((caller, called), (called, caller)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(2**16):
                with self._lock:
                    self.left -= len(data)
                if self.left < 0:
                    break
                target.sendall(data)
        for end in self._open if self.left < 0 else [source, target]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close what is open."""
        for end in self._open:
            end.close()


@contextmanager
def line_of(length: int, server: Server) -> Iterator[str]:
    """Yield an endpoint at which the server answers until ``length`` bytes have passed."""
    line = Line(length)
    with closing(socket.create_server((HOST, 0))) as listener, closing(line):
        port = int(server.endpoint.rpartition(":")[2])
        thread = threading.Thread(target=line.carry, args=(listener, port), daemon=True)
        thread.start()
        yield f"http://{HOST}:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
