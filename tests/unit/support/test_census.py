from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CONFTEST = """
from tests.support.census import Census

def pytest_configure(config):
    config.pluginmanager.register(Census())
"""


def run(folder: Path, test: str, *arguments: str, ci: bool) -> tuple[int, str]:
    """Run pytest on one file of tests, with the census, in a process of its own; exit status and output."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(test)
    environment = {k: v for k, v in os.environ.items() if k != "CI"} | ({"CI": "true"} if ci else {})
    environment |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "xdist",
        f"--rootdir={folder}",
        *arguments,
        str(folder),
    ]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=180, check=False
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("ci", [True, False])
def test_a_whole_run_passes_and_is_counted_just_above_the_closing_line(tmp_path: Path, ci: bool) -> None:
    status, said = run(tmp_path, "def test_a(): pass\ndef test_b(): pass\n", ci=ci)
    assert status == 0
    count, closing = said.splitlines()[-2:]
    assert count == "collected 2, executed 2"
    assert closing.startswith("2 passed in ")


@pytest.mark.parametrize(
    "test",
    [
        "import pytest\ndef test_a(): pytest.skip('not here')\n",
        "import pytest\n@pytest.mark.skip\ndef test_a(): pass\n",
        "import pytest\npytest.skip('none of it', allow_module_level=True)\n",
    ],
)
def test_a_skip_fails_the_run_wherever_it_is(tmp_path: Path, test: str) -> None:
    status, said = run(tmp_path, test, ci=False)
    assert status != 0
    assert "FAILED RUN skipped: " in said


@pytest.mark.parametrize(("ci", "expected"), [(True, 1), (False, 0)])
def test_a_selection_is_a_whole_run_only_outside_of_ci(tmp_path: Path, ci: bool, expected: int) -> None:
    status, said = run(tmp_path, "def test_a(): pass\ndef test_b(): pass\n", "-k", "test_a", ci=ci)
    assert status == expected
    assert "collected 2, executed 1" in said


def test_a_process_left_behind_fails_the_run_and_is_ended(tmp_path: Path) -> None:
    leave = "import subprocess\ndef test_a(): subprocess.run('sleep 600 & echo $! > pid', shell=True, check=True)\n"
    status, said = run(tmp_path, leave, ci=False)
    pid = int((tmp_path / "pid").read_text())
    assert status == 1
    assert f"FAILED RUN still running: {pid} sleep 600" in said
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text()


@pytest.mark.parametrize("workers", ["2"])
def test_workers_count_once_and_tell_what_they_left_behind(tmp_path: Path, workers: str) -> None:
    leave = (
        "import subprocess\ndef test_a(): subprocess.run('sleep 600 &', shell=True, check=True)\ndef test_b(): pass\n"
    )
    status, said = run(tmp_path, leave, "-n", workers, ci=True)
    assert status == 1
    assert "collected 2, executed 2" in said
    assert "FAILED RUN still running: " in said
    status, said = run(tmp_path, "def test_a(): pass\ndef test_b(): pass\n", "-n", workers, ci=True)
    assert status == 0, said
    assert "collected 2, executed 2" in said


def test_a_skip_in_a_worker_fails_the_run(tmp_path: Path) -> None:
    status, said = run(tmp_path, "import pytest\ndef test_a(): pytest.skip('not here')\n", "-n", "2", ci=True)
    assert status != 0
    assert "FAILED RUN skipped: " in said
