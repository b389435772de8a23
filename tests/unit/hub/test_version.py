"""What makes a configuration another version, and what of it is never kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hub import registry
from hub.answers.loading import BUILT_IN
from hub.ledger.values import Version
from hub.rulebook import rulebook
from hub.settings import load
from hub.version import KEPT_BYTES, part, version_of, without_secrets
from mappings.load import CATALOGUE
from tests.unit.hub.test_app import Declared, Reads, Writes

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"reads": Declared("tests:Reads", Reads), "writes": Declared("tests:Writes", Writes)}
    monkeypatch.setattr(registry, "declared", lambda: known)


def version(path: Path, password: str = "x") -> Version:
    deployment = load(path, environment={"HUB_PASSWORD": password})
    return version_of(deployment, rulebook(deployment))


def test_it_names_everything_that_decides_what_a_record_becomes(write: Write) -> None:
    found = version(write())
    assert sorted((one.role, one.name) for one in found.parts) == [
        ("agencies", "agencies.yaml"),
        ("answers", "dvcqg"),
        ("configuration", "hub.yaml"),
        ("mapping", "dvcqg/dossier"),
        ("mapping", "dvcqg/step"),
        ("mapping", "one-stop-soap/dossier"),
        ("mapping", "one-stop-soap/step"),
        ("program", "interop-hub"),
        *sorted(("table", one.name) for one in found.parts if one.role == "table"),
    ]
    assert all(one.text and one.size_bytes == len(one.text.encode()) for one in found.parts)


def test_the_same_files_elsewhere_are_the_same_version_and_another_password_too(write: Write, tmp_path: Path) -> None:
    path = write()
    elsewhere = tmp_path / "another" / "hub.yaml"
    elsewhere.parent.mkdir()
    for name in ("hub.yaml", "agencies.yaml"):
        (elsewhere.parent / name).write_bytes((tmp_path / name).read_bytes())
    assert version(path).digest == version(elsewhere).digest == version(path, password="y").digest
    assert version(path).file != version(elsewhere).file


@pytest.mark.parametrize("changed", ["configuration", "agencies", "mapping", "table", "answers"])
def test_a_change_of_any_text_is_another_version(write: Write, tmp_path: Path, changed: str) -> None:
    one_stop = "one-stop-soap"
    for file in (CATALOGUE / one_stop).rglob("*"):
        if file.is_file():
            copy = tmp_path / "mappings" / file.relative_to(CATALOGUE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "dvcqg.yaml").write_bytes((BUILT_IN / "dvcqg.yaml").read_bytes())
    path = write()
    files = {
        "configuration": path,
        "agencies": tmp_path / "agencies.yaml",
        "mapping": tmp_path / "mappings" / one_stop / "dossier.yaml",
        "answers": tmp_path / "answers" / "dvcqg.yaml",
    }
    deployment = load(path, environment={"HUB_PASSWORD": "x"})
    rules = rulebook(deployment)
    files["table"] = rules.inbound["so-tttt"][0].files[1]
    before = version_of(deployment, rules)
    text = files[changed].read_text(encoding="utf-8")
    files[changed].write_text(f"{text}# another remark\n", encoding="utf-8")
    after = version_of(deployment, rules)
    assert before.digest != after.digest
    old = {(one.role, one.name): one.digest for one in before.parts}
    assert {one.role for one in after.parts if old[one.role, one.name] != one.digest} == {changed}


def test_a_register_that_is_no_file_is_a_part_as_well() -> None:
    first, second = part("register", "agencies", "a"), part("register", "agencies", "b")
    assert Version("hub.yaml", "here", (first,)).digest != Version("hub.yaml", "here", (second,)).digest
    large = part("register", "agencies", "x" * (KEPT_BYTES + 1))
    assert (large.text, large.size_bytes) == (None, KEPT_BYTES + 1)


SECRETS = """\
hub: {name: tra-vinh, province: H59}
ledger: {url: "postgresql://hub:ledger-geheim@127.0.0.1/hub"}
bus: {url: "amqp://hub:${HUB_BUS_PASSWORD}@127.0.0.1/hub"}
mail:
  host: 127.0.0.1
  sender: hub@travinh.gov.vn
  username: hub
  password: "mail-geheim"   # to be moved
alerts:
  webhooks:
    - {name: zalo, url: "https://127.0.0.1/hook/geheim-path", secret: "hook-geheim"}
sources:
  so-tttt:
    adapter: rest
    mappings: [one-stop-rest/dossier]
    settings:
      url: http://127.0.0.1:9
      path: /api
      headers: {X-Api-Key: header-geheim, Accept: application/json}
      auth: {type: login, path: /in, username: hub, password: "${YTE:-default-geheim}", token: token}
destinations:
  provincial:
    adapter: lgsp
    mappings: {dossier.v1: lgsp/dossier}
    settings:
      url: http://127.0.0.1:9
      client_id: tra-vinh
      client_secret: >-
        folded
        geheim
      ca_file: ${CA}
routes:
  - {kinds: [dossier.v1], to: [provincial]}
"""


def test_nothing_that_is_secret_is_kept_and_names_of_variables_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    kept = without_secrets(SECRETS)
    assert "geheim" not in kept
    for stays in (
        "${HUB_BUS_PASSWORD}",
        "${YTE:-***}",
        "${CA}",
        "# to be moved",
        "token: token",
        "client_id: tra-vinh",
    ):
        assert stays in kept, stays
    assert len(kept.splitlines()) == len(SECRETS.splitlines()), "lines keep their numbers"
    changed = SECRETS.replace("mail-geheim", "another")
    assert without_secrets(changed) == kept
