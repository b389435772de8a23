"""Runs every block of code of every page, in order, as a reader would (see tests/docs/pages.py for the marks)."""

from __future__ import annotations

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from lxml import etree

from tests.docs.pages import DATA, ROOT, SHELL, Block, blocks, pages
from tests.support.forking import HUB, fork_server

LIMIT_S = 300


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `hub` that starts at once: the pages type it two hundred times."""
    folder = tmp_path_factory.mktemp("commands")
    fork_server().shim(folder / "hub", HUB)
    return folder


@pytest.mark.parametrize("page", pages())
def test_every_block_runs(page: str, tmp_path: Path, commands: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / ".venv").symlink_to(Path(sys.prefix))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.directive == "file":
            file = tmp_path / block.argument
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        if block.language in DATA:
            parse(block)
        elif block.language == "python" and block.directive != "file":
            run_python(block, namespace)
        elif block.language in SHELL and block.directive != "not run":
            run_shell(block, tmp_path / block.argument if block.directive == "in" else tmp_path, commands)


def parse(block: Block) -> None:
    if block.language == "yaml":
        list(yaml.safe_load_all(block.text))
    elif block.language == "json":
        json.loads(block.text)
    elif block.language == "toml":
        tomllib.loads(block.text)
    else:
        etree.fromstring(block.text.encode())


def run_python(block: Block, namespace: dict[str, Any]) -> None:
    """Raises: AssertionError for an example that prints something else, naming its line; whatever the code raises."""
    if ">>>" not in block.text:
        exec(compile("\n" * (block.line - 1) + block.text, block.page, "exec"), namespace)
        return
    test = doctest.DocTestParser().get_doctest(block.text, {}, str(block), block.page, block.line - 1)
    test.globs = namespace  # so that what one block defines is there for the next
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert runner.run(test, out=said.append, clear_globs=False).failed == 0, "".join(said)


def run_shell(block: Block, folder: Path, commands: Path) -> None:
    """Raises: AssertionError where the exit status or, in a console block, the output is not the page's."""
    expected = int(block.argument) if block.directive == "exit" else 0
    prelude = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"  # of a block that fails half-way
    prelude += f'set -eo pipefail\nmake() {{ command make --no-print-directory --directory "{ROOT}" "$@"; }}\n'
    hidden = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    environment = {k: v for k, v in os.environ.items() if k not in hidden}
    environment |= {"NO_COLOR": "1", "COLUMNS": "160"}
    environment["PATH"] = f"{commands}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = prelude + ("\n".join(block.commands) if block.language == "console" else block.text)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    said = f"{block}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    assert done.returncode == expected, said
    if block.language == "console":
        shown = "".join(line + "\n" for line in block.text.splitlines() if not line.startswith("$ "))
        assert re.fullmatch(".*".join(map(re.escape, shown.split("..."))), done.stdout, re.DOTALL), said
