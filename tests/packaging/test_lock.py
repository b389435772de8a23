"""The lock pins all that pyproject.toml asks for, with hashes and without addresses; the code asks for no more."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("hub", "adapters", "schemas", "mappings")
CONTRACT = ROOT / "hub/contract"
"""For those who write adapters: it may need what the extra of its name asks for."""


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def locked() -> Iterator[tuple[Requirement, int]]:
    """Each locked requirement with its number of hashes."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.lstrip().startswith("#"):
            wanted, *hashes = re.split(r"\s+--hash=", line.strip())
            assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", h.strip()) for h in hashes), line
            yield Requirement(wanted), len(hashes)


def test_every_line_is_one_version_with_hashes() -> None:
    for requirement, hashes in locked():
        assert re.fullmatch(r"==[\w.!+]+", str(requirement.specifier)), requirement
        assert requirement.url is None
        assert hashes >= 1


def test_it_holds_what_the_project_asks_for() -> None:
    pinned = {canonicalize_name(r.name): next(iter(r.specifier)).version for r, _ in locked()}
    asked = project()["project"]["dependencies"] + project()["project"]["optional-dependencies"]["dev"]
    for text in asked + project()["build-system"]["requires"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), text


def test_the_code_imports_only_what_the_project_asks_for_at_run_time() -> None:
    asked = project()["project"]
    declared = {canonicalize_name(Requirement(text).name) for text in asked["dependencies"]}
    extra = {canonicalize_name(Requirement(text).name) for text in asked["optional-dependencies"]["contract"]}
    owners = packages_distributions()
    undeclared = set()
    for file in (f for package in PACKAGES for f in (ROOT / package).rglob("*.py")):
        if file.name == "conftest.py":  # the tests' own, not in the wheel
            continue
        for name in imported(file) - sys.stdlib_module_names - set(PACKAGES) - {"config"}:
            may = declared | (extra if CONTRACT in file.parents else set())
            if not may & {canonicalize_name(owner) for owner in owners.get(name, [])}:
                undeclared.add(f"{file.relative_to(ROOT)}: {name}")
    assert undeclared == set()


def imported(file: Path) -> set[str]:
    """The top-level names that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names
