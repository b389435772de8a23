"""`hub test`: the tests beside the mappings of a configuration, and how their failures read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

MAPPING = """\
mapping: cau-ngang/step
from: {format: xml, within: /DanhSach, each: Buoc}
to: dossier-step.v1
tables:
  status: {Nhận: 2, Đang làm: 4}
fields:
  number: {path: So, required: true}
  at: {path: Luc, date: dd/MM/yyyy}
  person: Ai
  content: {const: Xử lý hồ sơ}
  status: {path: TrangThai, table: status}
"""
TEST = """\
cases:
  - name: a step
    body: <DanhSach><Buoc><So>H-1</So><Luc>20/03/2017</Luc><Ai>Bình</Ai><TrangThai>Nhận</TrangThai></Buoc></DanhSach>
    rows:
      - record: {number: H-1, at: 2017-03-19T17:00:00Z, person: Bình, content: Xử lý hồ sơ, status: 2}
  - name: an unknown word
    body: |
      <DanhSach><Buoc><So>H-1</So><Luc>20/03/2017</Luc><Ai>Bình</Ai><TrangThai>dang lam</TrangThai></Buoc></DanhSach>
    rows:
      - refused: park
        problems: [{field: status, path: TrangThai, value: dang lam, reason: "near: 'Đang làm'"}]
"""
CONFIG = """\
sources:
  cau-ngang: {adapter: files, mappings: [cau-ngang/step, one-stop-csv/step]}
destinations:
  national: {adapter: dvcqg, mappings: {dossier-step.v1: dvcqg/step}, settings: {password: "${NOT_SET}"}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "mappings" / "cau-ngang"
    own.mkdir(parents=True)
    (own / "step.yaml").write_text(MAPPING, encoding="utf-8")
    (own / "step_test.yaml").write_text(TEST, encoding="utf-8")
    (tmp_path / "hub.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def mend(folder: Path, was: str, now: str) -> None:
    file = folder / "mappings/cau-ngang/step_test.yaml"
    text = file.read_text(encoding="utf-8")
    assert was in text
    file.write_text(text.replace(was, now), encoding="utf-8")


@pytest.mark.parametrize("config", [(), ("hub.yaml",), (".",)])
def test_everything_that_a_configuration_names_is_tested(hub: Any, folder: Path, config: tuple[str, ...]) -> None:
    ran = hub("test", *config)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("3 mappings, ")
    assert ran.out.endswith(" passed, 0 failed\n")


def test_a_folder_without_a_configuration_has_the_mappings_in_it(hub: Any, folder: Path) -> None:
    (folder / "hub.yaml").unlink()
    assert hub("test", ".").out == "1 mapping, 2 cases: 2 passed, 0 failed\n"
    assert hub("test", "mappings").status == 1


def test_what_differs_is_shown_field_by_field(hub: Any, folder: Path) -> None:
    mend(folder, "person: Bình", "person: Bỉnh")
    mend(folder, "status: 2", 'status: "2"')
    ran = hub("test", "--mapping", "cau-ngang/step")
    assert ran.status == 1
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert lines[0] == "failed mappings/cau-ngang/step_test.yaml:2: a step"
    assert lines[1:6] == [
        "row 1",
        "person expected 'Bỉnh'",
        "got 'Bình'",
        "status expected '2'",
        "got 2 (a number, not text)",
    ]
    assert lines[-1] == "1 mapping, 2 cases: 1 passed, 1 failed"


def test_refused_values_come_with_reason_path_and_value(hub: Any, folder: Path) -> None:
    mend(
        folder, "<Luc>20/03/2017</Luc><Ai>Bình</Ai><TrangThai>Nhận", "<Luc>31/02/2017</Luc><Ai>Bình</Ai><TrangThai>Nhận"
    )
    mend(folder, "value: dang lam", "value: Đang làm")
    out = hub("test").out
    assert "was refused (reject)" in out
    assert "at: is no date of the calendar: day is out of range for month at Luc (found '31/02/2017')" in out
    assert "status.value" in out
    told = hub("test", "--json").json
    first = next(one for one in told["results"] if one["name"] == "a step")
    [refused] = first["differences"][0]["refusals"]
    assert (refused["field"], refused["path"], refused["value"]) == ("at", "Luc", "31/02/2017")
    assert (told["ok"], told["failed"], first["line"]) == (False, 2, 2)


def test_the_same_letters_composed_otherwise_are_told_apart(hub: Any, folder: Path) -> None:
    mend(folder, "person: Bình", "person: Bi\u0300nh")
    assert "(the same letters, composed otherwise: save the test in NFC)" in hub("test").out


def test_a_mapping_without_a_test_is_a_failure_with_the_mend(hub: Any, folder: Path) -> None:
    (folder / "mappings/cau-ngang/step_test.yaml").unlink()
    ran = hub("test")
    assert ran.status == 1
    assert "step.yaml: the mapping has no test [no-test] — write step_test.yaml beside it" in ran.out
    assert "passed, 0 failed, 1 other problem\n" in ran.out


def test_a_mapping_that_is_wrong_or_not_there_does_not_stop_the_others(hub: Any, folder: Path) -> None:
    file = folder / "mappings/cau-ngang/step.yaml"
    file.write_text(MAPPING.replace("table: status}", "table: statuss}"), encoding="utf-8")
    (folder / "hub.yaml").write_text(CONFIG.replace("one-stop-csv/step", "one-stop-csv/stepp"), encoding="utf-8")
    ran = hub("test")
    assert ran.status == 1
    assert "hub.yaml:2: there is no mapping 'one-stop-csv/stepp' [unknown-mapping] — did you mean" in ran.out
    assert "step.yaml:11: there is no table 'statuss' [unknown-table] — did you mean 'status'?" in ran.out
    assert "dvcqg" not in ran.out
    assert ", 0 failed, " in ran.out


def test_single_mappings_can_be_named_as_files_too(hub: Any, folder: Path) -> None:
    (folder / "hub.yaml").unlink()
    assert hub("test", "--mapping", "mappings/cau-ngang/step.yaml").out == "1 mapping, 2 cases: 2 passed, 0 failed\n"
    ran = hub("test", ".", "--mapping", "cau-ngang/stepp")
    assert (ran.status, ran.err.count("did you mean 'cau-ngang/step'?")) == (1, 1)


def test_where_there_is_nothing_to_test_it_says_so(hub: Any, folder: Path) -> None:
    (folder / "empty").mkdir()
    ran = hub("test", "empty")
    assert ran.status == 1
    assert "empty: there is no mapping here" in ran.out
    missing = hub("test", "none.yaml", "--json")
    assert (missing.status, missing.json["problems"][0]["rule"]) == (1, "unreadable-file")
