"""A certificate of one's own, since browsers give no microphone to plain HTTP."""

import datetime
import ipaddress
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from s2igan.errors import UserError

if TYPE_CHECKING:
    from cryptography import x509

# What browsers accept at most from a certificate that a user trusts by hand.
_DAYS = 397
_RENEW_DAYS = 30
_DAY = datetime.timedelta(days=1)


class Certificate(NamedTuple):
    """Two PEM files, and the SHA-256 fingerprint that a browser shows of them."""

    certificate: Path
    key: Path
    fingerprint: str


def page_folder() -> Path:
    """Return the user's own folder for what the page keeps between two starts."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "s2igan"


def local_address() -> str:
    """Return the address by which others in the local network reach this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket only asks the routing table; nothing is sent.
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def own_certificate(folder: Path, addresses: Sequence[str]) -> Certificate:
    """Make a certificate for this machine, or take the one made before while it holds.

    Keeping it lets a browser that was told once to trust it stay content.

    Args:
        folder: where ``page.crt`` and ``page.key`` lie; made if missing, for its owner alone.
        addresses: IP addresses and host names that the page is opened by; names beyond ASCII are
            left out, which certificates do not hold as they are.

    Raises:
        UserError: if the package ``cryptography`` is missing or the folder cannot be written.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
    except ImportError as error:
        raise UserError(
            "HTTPS", got="no package cryptography", fix="install the extra `demo`"
        ) from error
    files = folder / "page.crt", folder / "page.key"
    addresses = [address for address in addresses if address.isascii()]
    try:
        if not _holds(*files, addresses):
            _write(*files, addresses)
        certificate = x509.load_pem_x509_certificate(files[0].read_bytes())
    except OSError as error:
        raise UserError(
            f"certificate in {str(folder)!r}",
            got=str(error),
            expected="a folder that can be written to",
            fix="set XDG_STATE_HOME to one",
        ) from error
    return Certificate(*files, certificate.fingerprint(hashes.SHA256()).hex(":").upper())


def _holds(certificate: Path, key: Path, addresses: Sequence[str]) -> bool:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if not (certificate.is_file() and key.is_file()):
        return False
    try:
        held = x509.load_pem_x509_certificate(certificate.read_bytes())
        # A kill between the two files leaves a key of another certificate.
        if load_pem_private_key(key.read_bytes(), None).public_key() != held.public_key():
            return False
        names = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, x509.ExtensionNotFound):
        return False
    covered = {*names.get_values_for_type(x509.DNSName)}
    covered |= {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    left = held.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return covered >= set(addresses) and left > _RENEW_DAYS * _DAY


def _write(certificate: Path, key: Path, addresses: Sequence[str]) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "s2igan on this machine")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + (_DAYS - 1) * _DAY)
        .add_extension(x509.SubjectAlternativeName([_name(a) for a in addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    secret = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    certificate.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key.unlink(missing_ok=True)
    key.touch(mode=0o600)
    key.write_bytes(secret)
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def _name(address: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)
