"""The sections `mail` and `alerts`: what they become, what is refused, what is only warned of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.check import Findings, check
from hub.settings import load, locate_channels
from schemas.errors import ConfigError
from tests.support.mail_server import CERTIFICATE

Write = Callable[..., Path]
ENVIRONMENT = {"HUB_PASSWORD": "x", "HUB_MAIL_PASSWORD": "bí mật", "HUB_PHONG_SECRET": "khoá"}

CHANNELS = """\
mail:
  host: mail.tinh.example.vn
  port: 587
  tls: starttls
  username: hub
  password: ${HUB_MAIL_PASSWORD}
  sender: hub@tinh.example.vn
alerts:
  mail: [truc@tinh.example.vn, phong@tinh.example.vn]
  webhooks:
    - {name: phong, url: "https://chat.example.vn/hook", secret: "${HUB_PHONG_SECRET}"}
  after_s: 30
routes:
"""


def with_channels(write: Write, *replacements: tuple[str, str]) -> Path:
    text = CHANNELS
    for before, after in replacements:
        assert before in text, before
        text = text.replace(before, after)
    return write(("routes:\n", text))


def look(path: Path) -> Findings:
    found = asyncio.run(check(path, offline=True, environment=ENVIRONMENT))
    wanted = ("mail", "alerts")
    mine = [one for one in (*found.problems, *found.warnings) if any(word in one.message for word in wanted)]
    return Findings(found.file, tuple(mine), found.warnings, found.deployment)


def line_of(path: Path, text: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_channels_become_part_of_the_deployment(write: Write) -> None:
    made = load(with_channels(write), environment=ENVIRONMENT)
    assert made.mail is not None
    assert (made.mail.port, made.mail.tls) == (587, "starttls")
    assert made.mail.password is not None
    assert made.mail.password.get_secret_value() == "bí mật"
    assert made.alerts.channels == ["mail:truc@tinh.example.vn", "mail:phong@tinh.example.vn", "webhook:phong"]
    assert (made.alerts.after_s, made.alerts.settle_s) == (30, 120)
    assert "bí mật" not in repr(made)
    assert "khoá" not in repr(made)


def test_without_them_nobody_is_told_and_all_is_well(write: Write) -> None:
    made = load(write(), environment=ENVIRONMENT)
    assert (made.mail, made.alerts.channels) == (None, [])


@pytest.mark.parametrize(
    ("before", "after", "at", "rule", "said", "mend"),
    [
        ("phong@", "phòng@", "mail: [truc", "wrong-value", "alerts.mail.1: is no mail address like", "correct"),
        ("phong@tinh.example.vn]", '"An <a@b.vn>"]', "An <", "wrong-value", "without a name", "correct"),
        ("sender: hub@", "sender: hub hub@", "sender:", "wrong-value", "mail.sender: is no mail address", "correct"),
        ("  sender: hub@tinh.example.vn\n", "", "mail:", "missing-key", "mail.sender is missing", "add 'sender:'"),
        ("  username: hub\n", "", "mail:", "wrong-value", "mail: username and password belong together", "correct"),
        ("port: 587", "port: 0", "port: 0", "wrong-value", "mail.port", "of at least 1"),
        ("tls: starttls", "tls: maybe", "tls: maybe", "wrong-value", "mail.tls", "'starttls', 'tls' or 'none'"),
        ("port: 587", "ca_file: no.pem", "ca_file", "missing-file", "no.pem", "correct the path"),
        ("https://chat", "ftp://chat", "name: phong", "wrong-value", "is no address like https://host/path", "correct"),
        ("after_s: 30", "after_s: 0", "after_s: 0", "wrong-value", "alerts.after_s", "greater than 0"),
        ("after_s: 30", "afer_s: 30", "afer_s", "unknown-key", "alerts.afer_s is not a setting", "'after_s'"),
    ],
)
def test_one_mistake_is_found_with_its_line_and_mend(
    write: Write, before: str, after: str, at: str, rule: str, said: str, mend: str
) -> None:
    path = with_channels(write, (before, after))
    [problem] = look(path).problems
    assert (problem.rule, problem.file, problem.line) == (rule, str(path), line_of(path, at))
    assert said in problem.message
    assert mend in problem.mend


def test_two_webhooks_have_two_names(write: Write) -> None:
    path = with_channels(write, ("  after_s: 30", "    - {name: phong, url: https://b.vn}\n  after_s: 30"))
    [problem] = look(path).problems
    assert "alerts.webhooks: two webhooks have the same name" in problem.message


def test_addresses_without_a_server_are_no_use(write: Write) -> None:
    path = write(("routes:\n", "alerts: {mail: [truc@tinh.example.vn]}\nroutes:\n"))
    [problem] = look(path).problems
    assert (problem.rule, problem.line) == ("no-mail-server", line_of(path, "alerts:"))
    assert "add 'mail:" in problem.mend


def test_secrets_in_the_file_are_warned_of_and_not_shown(write: Write) -> None:
    path = with_channels(write, ("${HUB_MAIL_PASSWORD}", "in-the-file"), ('"${HUB_PHONG_SECRET}"', "in-the-file"))
    warnings = [one for one in look(path).warnings if one.rule == "plain-secret"]
    assert [(one.line, one.mend.split()[1]) for one in warnings] == [
        (line_of(path, "password: in-the-file"), "${HUB_MAIL_PASSWORD}"),
        (line_of(path, "name: phong"), "${HUB_PHONG_SECRET}"),
    ]
    assert not any("in-the-file" in str(one) for one in warnings)


def test_secrets_that_travel_in_clear_are_warned_of(write: Write) -> None:
    clear = ("tls: starttls", "tls: none")
    bearer = ('"https://chat.example.vn/hook", secret', '"http://chat.example.vn/hook", bearer')
    path = with_channels(write, clear, bearer)
    warnings = [one for one in look(path).warnings if one.rule == "secret-in-clear"]
    assert [one.line for one in warnings] == [line_of(path, "tls: none"), line_of(path, "name: phong")]
    here = with_channels(
        write, clear, ("mail.tinh.example.vn", "127.0.0.1"), (bearer[0], bearer[1].replace("chat.example.vn", "[::1]"))
    )
    assert not [one for one in look(here).warnings if one.rule == "secret-in-clear"]


def test_a_certificates_file_lies_beside_the_configuration(write: Write, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(CERTIFICATE.read_bytes())
    made = load(with_channels(write, ("port: 587", "ca_file: ca.pem")), environment=ENVIRONMENT)
    assert made.mail is not None
    assert made.mail.ca_file == str(tmp_path / "ca.pem")


def test_channels_can_be_read_while_the_rest_is_unfinished(write: Write) -> None:
    path = with_channels(write)
    path.write_text(path.read_text(encoding="utf-8").replace("adapter: reads", "adapter: ${NOT_SET}"), encoding="utf-8")
    hub, mail, alerts = locate_channels(path, environment=ENVIRONMENT)
    assert (hub.name, mail is not None, len(alerts.channels)) == ("tra-vinh", True, 3)
    with pytest.raises(ConfigError, match="HUB_MAIL_PASSWORD is not set"):
        locate_channels(path, environment={})
