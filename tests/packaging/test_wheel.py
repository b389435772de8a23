"""The wheel is what people install: it is built, looked into, put into an empty environment and run from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from importlib.metadata import Distribution, distribution, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
NAME = "interop-hub"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from this tree by the packages that are installed; nothing is fetched."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with the wheel and the packages that it needs at run time, and no others."""
    environment = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=180)
    (packages,) = environment.glob("lib/python*/site-packages")
    for needed in run_time_packages(wheel):
        provide(needed, packages)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(environment / "bin/python")]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, timeout=240)
    return environment / "bin"


def run_time_packages(wheel: Path) -> list[Distribution]:
    """What the wheel's metadata asks for, and what that asks for, as installed here."""
    found: dict[str, Distribution] = {}
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        asked = message_from_bytes(archive.read(metadata)).get_all("Requires-Dist") or []
    wanted = [(Requirement(text), "") for text in asked]
    while wanted:
        requirement, extra = wanted.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        needed = distribution(name)
        nested = [Requirement(text) for text in needed.requires or []]
        if name not in found:
            found[name] = needed
            wanted += [(each, "") for each in nested]
        wanted += [(each, e) for e in requirement.extras for each in nested if "extra" in str(each.marker or "")]
    return list(found.values())


def provide(needed: Distribution, packages: Path) -> None:
    """Link the top-level files and folders of an installed distribution into another environment."""
    names = {file.parts[0] for file in needed.files or [] if file.parts[0] not in ("..", "__pycache__")}
    for name in names:
        (packages / name).symlink_to(Path(str(needed.locate_file(name))))


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV", "HUB_"))}
    command = [str(installed / "hub"), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_configuration_and_catalogue_travel_as_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    data = [f for top in ("config", "mappings", "hub", "adapters", "schemas") for f in (ROOT / top).rglob("*")]
    expected = {
        str(f.relative_to(ROOT))
        for f in data
        if f.is_file() and f.suffix != ".pyc" and f.name != "conftest.py" and "var" not in f.parts
    }
    assert any(name.startswith("config/") and name.endswith(".yaml") for name in expected)
    assert any(name.startswith("mappings/catalogue/") for name in expected)
    assert expected - held == set()
    tops = {name.partition("/")[0] for name in held}
    assert tops == {"config", "mappings", "hub", "adapters", "schemas", f"interop_hub-{version(NAME)}.dist-info"}
    assert f"interop_hub-{version(NAME)}.dist-info/licenses/LICENSE" in held


def test_it_says_its_version_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "--version")
    assert done.returncode == 0, done.stderr
    assert version(NAME) in done.stdout


def test_the_contract_of_adapters_says_what_it_needs(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "python"), "-I", "-c", "import hub.contract"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("hub.contract needs pytest: pip install 'interop-hub[contract]'\n")


def test_the_demo_runs_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "demo", "--json")
    assert done.returncode == 0, done.stderr
    books = json.loads(done.stdout)
    figures = {"received": 2002, "on_due_date": 65, "early": 1856, "late": 81, "on_time_rate": 95.95}
    for place in ("source", "ledger", "national_portal", "provincial_portal"):
        assert {name: books[place][name] for name in figures} == figures, place
    assert {name: books[name] for name in ("lost", "doubled", "regressed")} == {"lost": 0, "doubled": 0, "regressed": 0}
    assert (books["rejected"], books["parked"]) == (2, 1)
    assert sorted(p.name for p in tmp_path.iterdir()) in ([], ["var"])
