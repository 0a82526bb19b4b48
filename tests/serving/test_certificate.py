import datetime
import hashlib
import ssl
import stat
from pathlib import Path

import pytest

from s2igan.errors import UserError
from s2igan.serving import certificate
from s2igan.serving.certificate import own_certificate, page_folder

pytest.importorskip("cryptography", reason="the certificate needs the extra `demo`")

NAMES = ["192.0.2.7", "localhost"]


def test_a_server_takes_it_and_its_key_is_the_owners_alone(tmp_path: Path) -> None:
    own = own_certificate(tmp_path / "new", NAMES)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(own.certificate, own.key)
    assert stat.S_IMODE(own.key.stat().st_mode) == 0o600
    der = ssl.PEM_cert_to_DER_cert(own.certificate.read_text())
    assert own.fingerprint.replace(":", "") == hashlib.sha256(der).hexdigest().upper()


def test_a_client_that_trusts_it_accepts_its_names(tmp_path: Path) -> None:
    own = own_certificate(tmp_path, NAMES)
    client = ssl.create_default_context(cafile=str(own.certificate))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(own.certificate, own.key)
    for name in NAMES:
        shake_hands(client, server, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, server, "elsewhere.test")


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                continue


def test_it_is_kept_until_it_lacks_a_name_or_ends_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = own_certificate(tmp_path, NAMES).fingerprint
    assert own_certificate(tmp_path, NAMES[:1]).fingerprint == first
    other = own_certificate(tmp_path, [*NAMES, "192.0.2.8"]).fingerprint
    assert other != first
    monkeypatch.setattr(certificate, "_DAYS", 20)
    short = own_certificate(tmp_path, ["192.0.2.9"]).fingerprint
    assert own_certificate(tmp_path, ["192.0.2.9"]).fingerprint != short


@pytest.mark.parametrize("left", ["another's", b"", b"-----BEGIN PRIVATE KEY-----"])
def test_a_key_that_does_not_fit_is_made_anew(tmp_path: Path, left: bytes | str) -> None:
    first = own_certificate(tmp_path, NAMES)
    key = own_certificate(tmp_path / "other", NAMES).key.read_bytes()
    first.key.write_bytes(key if isinstance(left, str) else left)
    again = own_certificate(tmp_path, NAMES)
    assert again.fingerprint != first.fingerprint
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(again.certificate, again.key)


def test_a_name_that_no_certificate_holds_is_left_out(tmp_path: Path) -> None:
    own = own_certificate(tmp_path, [*NAMES, "büro"])
    assert own_certificate(tmp_path, [*NAMES, "büro"]) == own
    assert own_certificate(tmp_path, NAMES) == own


def test_browsers_accept_how_long_it_holds(tmp_path: Path) -> None:
    from cryptography import x509

    own = own_certificate(tmp_path, NAMES)
    made = x509.load_pem_x509_certificate(own.certificate.read_bytes())
    assert made.not_valid_after_utc - made.not_valid_before_utc <= datetime.timedelta(days=398)


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="XDG_STATE_HOME"):
        own_certificate(tmp_path / "file" / "s2igan", NAMES)


def test_it_lies_in_the_users_own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert page_folder() == tmp_path / "s2igan"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert page_folder() == tmp_path / ".local" / "state" / "s2igan"
