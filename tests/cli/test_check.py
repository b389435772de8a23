"""`hub check`: problems on standard output, exit status 1 when there is any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CONFIGURATION = """\
hub: {name: tra-vinh, province: H59}
sources:
  cau-ngang:
    adapter: files
    mappings: [one-stop-csv/dossier]
    settings: {folder: drop, pattern: "hoso-*.csv", media: csv}
destinations:
  provincial:
    adapter: lgsp
    answers: lgsp
    mappings: {dossier.v1: lgsp/dossier}
    settings: {url: "http://127.0.0.1:9", client_id: hub, client_secret: "${SECRET:-x}"}
routes:
  - {kinds: [dossier.v1], to: [provincial]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "hub.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    return path


def test_what_is_right_can_run(hub: Any, config: Path) -> None:
    ran = hub("check", str(config), "--offline")
    assert ran.out == f"{config}: ready to run, 1 source, 1 destination, 1 route, 0 warnings\n"
    assert ran.status == 0


def test_every_problem_is_a_line_with_file_and_mend(hub: Any, config: Path) -> None:
    text = CONFIGURATION.replace("adapter: files", "adapter: file").replace("lgsp/dossier", "lgsp/dosier")
    config.write_text(text.replace("to: [provincial]", "to: [nation]"), encoding="utf-8")
    ran = hub("check", str(config), "--offline")
    assert ran.status == 1
    lines = ran.out.splitlines()
    assert [line.split(": ")[1] for line in lines if line.startswith("error")] == [
        f"{config}:4",
        f"{config}:11",
        f"{config}:14",
    ]
    assert "did you mean 'files'?" in lines[0]
    assert lines[-1] == f"{config}: 3 problems, 1 warning"


def test_json(hub: Any, config: Path) -> None:
    config.write_text(CONFIGURATION.replace('"${SECRET:-x}"', "in-the-file"), encoding="utf-8")
    ran = hub("check", str(config), "--offline", "--json")
    assert ran.status == 0
    assert (ran.json["ok"], ran.json["problems"]) == (True, [])
    assert [warning["rule"] for warning in ran.json["warnings"]] == ["plain-secret"]
    config.write_text("- 1\n", encoding="utf-8")
    assert hub("check", str(config), "--json").json["ok"] is False


def test_the_configuration_may_be_named_by_the_environment(
    hub: Any, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_CONFIG", str(config))
    assert hub("check", "--offline").status == 0
