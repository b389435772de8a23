"""`hub registers`: what it says without a portal, and of what it does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CONFIG = """\
hub: {name: thu, province: H59}
ledger: {url: "sqlite:///hub.db"}
agencies: agencies.yaml
procedures: procedures.csv
sources:
  cau-ngang:
    adapter: files
    mappings: [one-stop-csv/dossier]
    settings: {folder: drop, pattern: "hoso-*.csv", media: csv}
destinations:
  national:
    adapter: dvcqg
    mappings: {dossier.v1: dvcqg/dossier}
    settings:
      {url: "http://127.0.0.1:1", username: u, password: "${P:-p}", dstcode: D, madonvi: H59}
routes:
  - {kinds: [dossier.v1], to: [national]}
"""
REGISTERS = "registers: {from: national, take: [procedures]}\n"
PROCEDURES = "code,name,valid_to,successor\n1.1.H59,Khai sinh,2025-06-30,1.1.H61\n1.1.H61,Khai sinh,,1.1.H59\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "agencies.yaml").write_text("- {code: H59.05, name: Sở Nội vụ, level: province}\n", encoding="utf-8")
    (tmp_path / "procedures.csv").write_text(PROCEDURES, encoding="utf-8")
    (tmp_path / "hub.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path / "hub.yaml"


def test_without_a_portal_the_files_are_what_there_is(hub: Any, config: Path) -> None:
    ran = hub("registers", "list", "--config", config, "--json")
    assert [(one["register"], one["hold"], one["ended"], one["source"]) for one in ran.json["registers"]] == [
        ("agencies", 1, 0, None), ("procedures", 1, 1, None), ("fields", 0, 0, None)
    ]  # fmt: skip
    shown = hub("registers", "show", "1.1.h59", "--config", config)
    assert "2025-06-30, not on this day" in shown.out
    assert "1.1.H61 → 1.1.H59" in shown.out, "a circle ends"
    assert shown.status == 1
    assert hub("registers", "show", "1.1.H59", "--on", "2025-06-30", "--config", config).status == 0


def test_a_code_that_nobody_has_is_told_with_the_one_that_is_near(hub: Any, config: Path) -> None:
    ran = hub("registers", "show", "H59.06", "--config", config)
    assert (ran.status, "did you mean 'H59.05'?" in ran.err) == (1, True)


def test_nothing_is_taken_over_that_the_configuration_does_not_name(hub: Any, config: Path) -> None:
    config.write_text(CONFIG + REGISTERS, encoding="utf-8")
    ran = hub("registers", "sync", "--only", "agencies", "--config", config)
    assert (ran.status, "agencies is not taken over" in ran.err) == (1, True)


def test_a_portal_that_is_away_leaves_the_register_as_it_is(hub: Any, config: Path) -> None:
    config.write_text(CONFIG + REGISTERS, encoding="utf-8")
    ran = hub("registers", "sync", "--config", config, "--json")
    assert (ran.status, ran.json["ok"]) == (1, False)
    assert "the connection was refused" in ran.json["registers"][0]["problem"]
    listed = hub("registers", "list", "--config", config)
    assert "never read" in listed.out
    assert "1 look in vain" in listed.out
    assert hub("registers", "diff", "--config", config, "--only", "procedures").out == "procedures: none\n"
