"""A mail as it leaves the hub, over real SMTP on loopback, and every way in which a server does not take it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.mailing import NotToldError, compose, send_mail
from hub.sections import MailSection
from tests.support.mail_server import MailServer, mail_server

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
CONTENT = {"subject": "Cổng national không nhận hồ sơ", "text": "Từ 08:00 …\nHeld since 08:00.\n.\n"}


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


def send(
    server: MailServer, content: dict[str, Any] = CONTENT, to: str = "truc@tinh.example.vn", **settings: Any
) -> None:
    mail = MailSection.model_validate(server.settings(**settings))
    asyncio.run(send_mail(mail, compose(mail, to, "alert 1 start", content, AT, origin="ledger")))


def test_a_mail_arrives_as_it_was_written(server: MailServer, tmp_path: Path) -> None:
    table = tmp_path / "loi-2026-03-02.csv"
    table.write_text("hồ sơ,lỗi\n", encoding="utf-8")
    send(server, {**CONTENT, "attachments": [str(table)]})
    [mail], [envelope] = server.taken, server.envelopes
    assert envelope == ("hub@tinh.example.vn", "truc@tinh.example.vn", False)
    assert mail["Subject"] == CONTENT["subject"]
    assert (mail["From"], mail["To"]) == ("hub@tinh.example.vn", "truc@tinh.example.vn")
    assert mail["Date"].datetime == AT
    assert mail["Auto-Submitted"] == "auto-generated"
    text, attached = list(mail.iter_parts())
    assert text.get_content().replace("\r\n", "\n") == CONTENT["text"]
    assert attached.get_filename() == "loi-2026-03-02.csv"
    assert attached.get_content() == "hồ sơ,lỗi\n"


def test_the_same_message_has_the_same_name_and_no_other_has() -> None:
    mail = MailSection(host="h", sender="hub@tinh.example.vn")

    def named(about: str, origin: str = "ledger") -> str:
        return str(compose(mail, "a@b.vn", about, CONTENT, AT, origin=origin)["Message-ID"])

    assert named("alert 1 start") == named("alert 1 start")
    assert len({named("alert 1 start"), named("alert 1 end"), named("alert 1 start", "another")}) == 3
    assert named("x").endswith("@tinh.example.vn>")


def test_nothing_breaks_out_of_a_header() -> None:
    mail = MailSection(host="h", sender="hub@tinh.example.vn")
    made = compose(mail, "a@b.vn", "x", {"subject": "a\r\nBcc: x@y.vn\u2028b", "text": ""}, AT, origin="")
    assert made["Subject"] == "a Bcc: x@y.vn b"
    assert made["Bcc"] is None
    for address in ("a@b.vn\nBcc: c@d.vn", "a@b.vn, c@d.vn", "An <a@b.vn>", "a b@c.vn", "ấ@b.vn", ""):
        with pytest.raises(NotToldError, match="no mail address"):
            compose(mail, address, "x", CONTENT, AT, origin="")


def test_an_attachment_that_is_gone_is_named(tmp_path: Path) -> None:
    mail = MailSection(host="h", sender="hub@tinh.example.vn")
    with pytest.raises(NotToldError, match=r"gone\.csv cannot be read: No such file"):
        compose(mail, "a@b.vn", "x", {**CONTENT, "attachments": [str(tmp_path / "gone.csv")]}, AT, origin="")


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("password", ["secret", "mật khẩu"])
def test_it_is_encrypted_before_the_password_goes(tls: str, password: str) -> None:
    with mail_server(tls=tls, login=("hub", password)) as server:
        send(server)
        assert server.envelopes[0][2]
        assert server.logins == [("hub", password)]


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(tls: str) -> None:
    with mail_server(tls=tls, login=("hub", "x")) as server:
        with pytest.raises(NotToldError, match=r"TLS: self.signed certificate.*mail\.ca_file"):
            send(server, ca_file=None)
        assert (server.taken, server.logins) == ([], [])


def test_a_server_without_starttls_gets_no_password(server: MailServer) -> None:
    with pytest.raises(NotToldError, match="offers no STARTTLS"):
        send(server, tls="starttls", username="hub", password="x")
    assert server.logins == []


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("refuse", r"450 too busy \(truc@"),
        ("no-such", "550 no such user"),
        ("drop-early", "closed"),
        ("drop", "closed|reset"),
        ("hang", "no end of it within 0.3 s"),
        ("drip", "no end of it within 0.3 s"),
    ],
)
def test_what_a_server_does_wrong_is_said_in_time(server: MailServer, trouble: str, said: str) -> None:
    server.trouble = trouble
    began_s = time.monotonic()
    with pytest.raises(NotToldError, match=said):
        send(server, timeout_s=0.3 if "0.3" in said else 5)
    print(f"{trouble}: {time.monotonic() - began_s:.2f} s")
    server.trouble = ""
    send(server)


def test_a_wrong_password_is_said() -> None:
    with mail_server(login=("hub", "x")) as server, pytest.raises(NotToldError, match="535 wrong name or password"):
        send(server, password="y")


def test_nobody_there_is_said(server: MailServer) -> None:
    with pytest.raises(NotToldError, match=r"mail server 127\.0\.0\.1:1: .*refused") as raised:
        send(server, port=1)
    assert raised.value.down
