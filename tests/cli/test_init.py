"""`hub init`: a project that can be checked, mapped and run as it is, and that never overwrites anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mappings.testing import run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("PORTAL_URL", "PORTAL_CLIENT_ID", "PORTAL_CLIENT_SECRET", "HUB_LEDGER_URL", "HUB_BUS_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("province", ["H59", "H26"])
def test_the_project_passes_its_check_without_a_warning_and_its_tests(hub: Any, province: str) -> None:
    ran = hub("init", "p", "--province", province, "--name", "lien-thong")
    assert ran.status == 0, ran.err
    checked = hub("check", "p/hub.yaml", "--offline", "--json")
    assert (checked.status, checked.json["warnings"]) == (0, [])
    results = run(Path("p/mappings/mot-cua/dossier_test.yaml"))
    assert [result.problems for result in results] == [(), ()]


def test_the_name_is_that_of_the_folder(hub: Any) -> None:
    told = hub("init", "Sở Y tế 2026", "--json").json
    assert (told["ok"], told["name"]) == (True, "s-y-t-2026")
    assert "name: s-y-t-2026" in Path("Sở Y tế 2026/hub.yaml").read_text(encoding="utf-8")


def test_a_folder_that_is_not_empty_is_refused_and_what_is_there_is_named(hub: Any) -> None:
    Path("p").mkdir()
    Path("p/thesis.odt").write_text("mine", encoding="utf-8")
    ran = hub("init", "p")
    assert ran.status == 1
    assert "p: is not empty, it holds thesis.odt [not-empty]" in ran.err
    assert [path.name for path in Path("p").iterdir()] == ["thesis.odt"]


def test_force_writes_only_what_is_missing(hub: Any) -> None:
    Path("p").mkdir()
    Path("p/agencies.yaml").write_text("# mine\n", encoding="utf-8")
    told = hub("init", "p", "--force", "--json").json
    assert Path("p/agencies.yaml").read_text(encoding="utf-8") == "# mine\n"
    assert "p/agencies.yaml" not in told["written"]
    assert "p/hub.yaml" in told["written"]


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--province", "59"), "--province '59' cannot be used"), (("--name", "Trà Vinh"), "--name 'Trà Vinh' cannot")],
)
def test_what_cannot_be_used_is_said_before_anything_is_written(hub: Any, options: tuple[str, ...], said: str) -> None:
    ran = hub("init", "p", *options)
    assert ran.status == 1
    assert said in ran.err
    assert not Path("p").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(hub: Any) -> None:
    Path("p").write_text("", encoding="utf-8")
    assert "p: is no folder" in hub("init", "p").err


def test_its_sample_goes_to_the_twin_of_the_portal(hub: Any) -> None:
    assert hub("init", "p").status == 0
    log = Path("portal.jsonl")
    twin = subprocess.Popen(
        [sys.executable, "-m", "adapters.sandbox", "provincial-portal", "--log", str(log)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert twin.stdout is not None
        url = json.loads(twin.stdout.readline())["url"]
        sample = Path("p/samples/mot-cua-1.csv")
        Path("p/drop/mot-cua/hoso.csv").write_bytes(sample.read_bytes())
        done = subprocess.run(
            [Path(sys.executable).parent / "hub", "run", "p/hub.yaml", "--once", "--json"],
            env={"PORTAL_URL": url, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(log.read_text(encoding="utf-8").splitlines()) == 2
    finally:
        twin.terminate()
        twin.communicate(timeout=10)
