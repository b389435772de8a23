"""`hub adapters`: what is installed, what is broken and how to mend it, and the settings of one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import registry

Install = Callable[..., None]
GOOD = '''
from pydantic import BaseModel, ConfigDict, SecretStr

class Page(BaseModel):
    """How a page is asked for."""
    size: int = 20
    """Rows in one."""

class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    host: str
    """Where it is."""
    password: SecretStr | None = None
    page: Page = Page()

class Source:
    role = "source"
    Settings = Settings
    summary = "an old system"
    def arrivals(self, cursor): ...
    async def settled(self, arrival, problems, *, parked): ...
    async def close(self): ...

class Nothing(Source):
    arrivals = property()
    role = "reader"

class Half:
    role, Settings, summary = "destination", Settings, "half of one"

class Loose(Source):
    Settings = dict
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package with adapters on the path: `install("one", "1.0", good="module:Class")`."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(package: str, version: str, **adapters: str) -> None:
        (tmp_path / f"{package}_code.py").write_text(GOOD, encoding="utf-8")
        info = tmp_path / f"{package}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        lines = [f"{name.replace('_', '-')} = {place}" for name, place in adapters.items()]
        (info / "entry_points.txt").write_text("\n".join(["[hub.adapters]", *lines, ""]))
        forget()

    def forget() -> None:
        registry.declared.cache_clear()
        registry._rivals.cache_clear()

    yield install
    monkeypatch.undo()
    forget()
    for name in [name for name in sys.modules if name.endswith("_code")]:
        del sys.modules[name]


def test_each_is_listed_with_its_package(hub: Any, install: Install) -> None:
    install("one", "1.2", old_system="one_code:Source")
    ran = hub("adapters")
    assert ran.status == 0
    assert [line.split()[1] for line in ran.out.splitlines() if "old-system" in line] == ["old-system"]
    assert "one 1.2" in ran.out
    listed = hub("adapters", "--json").json
    assert listed["ok"]
    assert [one["role"] for one in listed["adapters"]] == ["source"] * 6 + ["destination"] * 3
    assert listed["adapters"][1] == {
        "name": "old-system",
        "role": "source",
        "summary": "an old system",
        "package": "one",
        "version": "1.2",
        "usable": True,
    }


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("gone:Source", "No module named 'gone' [broken-adapter] — install what has the module 'gone', or repair one"),
        ("one_code:Gone", "has no attribute 'Gone' [broken-adapter] — repair or reinstall one"),
        ("one_code:GOOD_NO", "has no attribute 'GOOD_NO'"),
        ("one_code:BaseModel", "declares no role, Settings, summary [broken-adapter] — see hub.ports.Adapter"),
        ("one_code:Nothing", "has the role 'reader' [broken-adapter] — role is 'source' or 'destination'"),
        ("one_code:Half", "has no can_look_up, batches, deliver, look_up, close [broken-adapter] — see hub.ports.Dest"),
        ("one_code:Loose", "has Settings that are no pydantic model [broken-adapter] — make it a class of pydantic"),
    ],
)
def test_a_broken_one_is_told_with_the_mend_and_the_others_are_listed(
    hub: Any, install: Install, place: str, said: str
) -> None:
    install("one", "1.2", bad=place)
    ran = hub("adapters")
    assert ran.status == 1
    assert ran.err.startswith(f"error: the adapter 'bad' ({place}) ")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert "cannot be used, see below" in ran.out
    assert "lgsp" in ran.out
    listed = hub("adapters", "--json").json
    assert [(one["name"], one["usable"]) for one in listed["adapters"]][-1] == ("bad", False)
    assert listed["problems"][0]["rule"] == "broken-adapter"


def test_a_name_that_two_packages_declare_is_nobodys(hub: Any, install: Install) -> None:
    install("one", "1.2", old="one_code:Source")
    install("two", "3.0", old="two_code:Source")
    ran = hub("adapters", "old")
    assert ran.status == 1
    assert "the adapter 'old' is declared by 2 packages: " in ran.err
    assert "one 1.2" in ran.err
    assert "two 3.0" in ran.err
    assert "uninstall all but one of them" in ran.err


def test_the_settings_of_one(hub: Any, install: Install) -> None:
    install("one", "1.2", old="one_code:Source")
    ran = hub("adapters", "old")
    assert ran.status == 0
    assert ran.out.startswith("old: a source, of one 1.2\nan old system\n")
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ran.out.splitlines() if line.startswith("│")]
    assert rows == [
        ["host", "text", "required", "Where it is."],
        ["password", "secret", "", ""],
        ["page", "section", "", "How a page is asked for."],
        ["page.size", "whole number", "20", "Rows in one."],
    ]
    assert hub("adapters", "old", "--json").json["settings"][3] == {
        "name": "page.size",
        "type": "whole number",
        "required": False,
        "default": 20,
        "what": "Rows in one.",
        "only": "",
    }


def test_what_depends_on_a_word_is_told_with_it(hub: Any) -> None:
    settings = hub("adapters", "rest", "--json").json["settings"]
    assert [one["only"] for one in settings if one["name"] == "auth.token"] == ["type: bearer", "type: login"]
    assert [one["type"] for one in settings if one["name"] == "auth"] == [
        "section, type: none, bearer, basic, login, oauth2"
    ]


def test_a_name_that_nobody_declares(hub: Any) -> None:
    ran = hub("adapters", "resst")
    assert ran.status == 1
    assert ran.err == "error: there is no adapter 'resst' [unknown-adapter] — did you mean 'rest'?\n"
