"""What every command promises: help with an example, `--json`, and no traceback for what a user can mend."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from hub.cli import app, main


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ROOT = Path(__file__).parents[2]
COMMANDS = dict(commands(typer.main.get_command(app)))


def test_every_command_is_in_the_documentation() -> None:
    told = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    assert [" ".join(path) for path in COMMANDS if not re.search(rf"`?hub {' '.join(path)}\b", told)] == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_has_an_example_of_this_command(hub: Any, path: tuple[str, ...]) -> None:
    ran = hub(*path, "--help")
    assert ran.status == 0
    assert f"Example: hub {' '.join(path)}" in ran.out


@pytest.mark.parametrize(
    "path", [(), *COMMANDS, ("dead",), ("items",), ("alerts",), ("unknown",), ("registers",), ("new",)], ids=" ".join
)
def test_no_help_shows_a_type_of_python(hub: Any, path: tuple[str, ...]) -> None:
    assert (
        re.findall(
            r"<(?:list|tuple|bool|int|float|str|text|path|file|directory|datetime)\b[^>]*>", hub(*path, "--help").out
        )
        == []
    )


def test_a_help_fills_the_width_of_the_terminal(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = hub("recover", "--help").out
    assert "\n their newest; then everything that is to be sent is treated as perhaps sent: a \n" in said


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "error: ledger.url is no address of a database; write sqlite:///FILE or postgresql://"),
        (
            "sqlite:///{text}",
            "file is not a database; name another file, or put its backup in its place [ledger-fault]",
        ),
    ],
)
@pytest.mark.parametrize("path", [("queues",), ("pause", "national")], ids=" ".join)
def test_what_is_no_ledger_is_told_in_one_line(
    hub: Any, tmp_path: Path, path: tuple[str, ...], url: str, said: str
) -> None:
    (tmp_path / "text").write_text("hub: {name: one, province: H59}\n" * 40)
    ran = hub(*path, "--ledger", url.format(text=tmp_path / "text"))
    assert ran.status == 1
    assert said in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_speaks_json(path: tuple[str, ...]) -> None:
    assert any("--json" in parameter.opts for parameter in COMMANDS[path].params)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "{missing}"),
        ("run", "{missing}"),
        ("topology", "{missing}"),
        ("trace", "x", "--config", "{missing}"),
        ("queues", "--config", "{missing}"),
        ("report", "--config", "{missing}"),
        ("dead", "list", "--config", "{missing}"),
        ("dead", "replay", "--all", "--config", "{missing}"),
        ("unknown", "list", "--config", "{missing}"),
        ("unknown", "resend", "1", "--why", "x", "--config", "{missing}"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_configuration_that_is_not_there_is_one_line_with_the_mend(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], as_json: bool
) -> None:
    monkeypatch.delenv("HUB_LEDGER_URL", raising=False)
    missing = str(tmp_path / "none.yaml")
    ran = hub(*(part.format(missing=missing) for part in arguments), *(["--json"] if as_json else []))
    assert ran.status == 1
    if as_json:
        [problem] = ran.json["problems"]
        assert (problem["file"], problem["rule"], problem["mend"]) == (missing, "unreadable-file", "check the path")
    else:
        assert f"error: {missing}: cannot be read: no such file or directory" in ran.out + ran.err


def test_a_ledger_that_is_not_there_is_one_line(hub: Any, tmp_path: Path) -> None:
    ran = hub("queues", "--ledger", f"sqlite:///{tmp_path / 'none.db'}")
    assert ran.status == 1
    assert ran.err.startswith("error: ")
    assert len(ran.err.splitlines()) == 1


def test_what_is_asked_wrongly_has_status_2(hub: Any) -> None:
    assert hub("trace").status == 2
    assert hub("nothing").status == 2


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, hub.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"sqlalchemy", "zeep", "holidays", "pydantic", "httpx", "pika", "lxml", "yaml", "alembic"}


def test_a_reader_that_has_had_enough_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from hub import cli\ncli.app = lambda: print('x' * 1_000_000)\ncli.main()"
    piped = subprocess.run(
        ["/bin/sh", "-c", '"$0" -c "$1" | head -c 10', sys.executable, code], capture_output=True, text=True, check=True
    )
    assert piped.stderr == ""
    assert callable(main)
