"""The runner of `_test.yaml`: what is expected passes, every difference and every missing test is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns
from textwrap import dedent

import pytest

from mappings.catalogue import CATALOGUE, names
from mappings.testing import place_of_test, run, untested
from schemas.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copytree(CATALOGUE, tmp_path / "catalogue", ignore=ignore_patterns("*.py", "__pycache__"))
    return tmp_path / "catalogue"


def results(folder: Path, name: str, text: str) -> list[tuple[str, ...]]:
    path = place_of_test(folder / f"{name}.yaml")
    path.write_text(dedent(text), encoding="utf-8")
    return [result.problems for result in run(path)]


def test_the_catalogue_is_tested() -> None:
    assert untested(CATALOGUE) == []
    for name in names():
        found = run(place_of_test(CATALOGUE / f"{name}.yaml"))
        assert found
        assert all(result.ok for result in found)


def test_a_mapping_without_a_test_is_found(folder: Path) -> None:
    place_of_test(folder / "lgsp" / "step.yaml").unlink()
    (problem,) = untested(folder)
    assert str(problem).endswith("lgsp/step.yaml: the mapping has no test [no-test] — write step_test.yaml beside it")


def test_differences_are_told(folder: Path) -> None:
    text = """\
    cases:
      - name: as expected
        record: {number: X, at: 2017-03-20T01:05:00Z, person: B, content: c, status: 2}
        payload:
          MaHoSo: X
          NguoiXuLy: B
          ChucDanh: ''
          ThoiDiemXuLy: '20170320080500'
          PhongBanXuLy: ''
          NoiDungXuLy: c
          TrangThai: '2'
          NgayBatDau: ''
          NgayKetThucTheoQuyDinh: ''
    """
    assert results(folder, "dvcqg/step", text) == [()]
    wrong = text.replace("TrangThai: '2'", "TrangThai: 2").replace("NgayBatDau: ''", "Khac: 1")
    assert results(folder, "dvcqg/step", wrong) == [
        ("TrangThai is '2', 2 expected", "Khac is missing, 1 expected", "NgayBatDau is '', none expected")
    ]
    refused = text.split("payload")[0] + "problems: [{field: number}]\n"
    assert results(folder, "dvcqg/step", refused) == [("was written, and should have been refused",)]
    assert "is none" in results(folder, "dvcqg/step", text.replace("status: 2", "status: 20"))[0][0]


def test_rows_and_refusals_are_compared(folder: Path) -> None:
    text = """\
    cases:
      - name: wrong on purpose
        body: |
          SO_HO_SO;THOI_DIEM;NGUOI_XU_LY;CHUC_DANH;PHONG_BAN;NOI_DUNG;TRANG_THAI
          X;20170320080500;B;;;c;2
          X;20170320080500;B;;;c;0
          X;20170320080500;B;;;c;0
        rows:
          - refused: park
          - {record: {number: X}}
          - {refused: reject, key: Y, problems: [{field: number, reason: x, size: 1}, {field: x}]}
          - {record: {}}
      - name: not refused
        body: SO_HO_SO;THOI_DIEM;NGUOI_XU_LY;CHUC_DANH;PHONG_BAN;NOI_DUNG;TRANG_THAI
        undecodable: x
      - name: refused
        body: x
        rows: []
      - name: refused for another reason
        body: x
        undecodable: y
    """
    first, second, third, fourth = results(folder, "one-stop-csv/step", text)
    assert first[0] == "3 rows, 4 expected"
    assert first[1] == "row 1: was taken, park expected"
    assert first[2].startswith("row 2: was refused (park): one-stop-csv/step: status: is not in the table 'status'")
    assert [problem.split(":")[1].split(" is ")[0] for problem in first[3:5]] == [" the verdict", " the key"]
    assert "1 problems, 2 expected" in first[5]
    assert "a problem has no 'size'" in first[-1]
    assert second == ("the body was read, 0 rows, and should have been refused",)
    assert third[0].startswith("the body was refused: the header lacks")
    assert fourth[0].startswith("the body was refused for another reason")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cases: []", "there is no case"),
        ("case: []", "did you mean 'cases'?"),
        ("cases: {}", "'cases' should be a list"),
        ("cases: [{body: x, rows: []}]", "the case lacks 'name'"),
        ("cases: [{name: x, rows: []}]", "one of 'body', 'file' and 'record'"),
        ("cases: [{name: x, body: x}]", "one of 'rows', 'undecodable', 'payload' and 'problems'"),
        ("cases: [{name: x, body: x, row: []}]", "did you mean 'rows'?"),
        ("", "the file is empty"),
    ],
)
def test_a_test_that_says_nothing_is_a_problem(folder: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        results(folder, "lgsp/step", text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("lgsp/step", "cases: [{name: x, body: x, rows: []}]", "the mapping writes: give it a record"),
        ("one-stop-csv/step", "cases: [{name: x, record: {}, payload: {}}]", "the mapping reads: give it a body"),
    ],
)
def test_a_case_fits_the_direction(folder: Path, name: str, text: str, said: str) -> None:
    assert said in results(folder, name, text)[0][0]


def test_a_sample_file_and_decomposed_text(folder: Path) -> None:
    (folder / "one-stop-csv" / "samples").mkdir()
    sample = folder / "one-stop-csv" / "samples" / "x.csv"
    sample.write_text(
        "SO_HO_SO;THOI_DIEM;NGUOI_XU_LY;CHUC_DANH;PHONG_BAN;NOI_DUNG;TRANG_THAI\nX;20170320080500;Bình;;;c;2\n",
        encoding="utf-8-sig",
    )
    text = """\
    cases:
      - name: a file
        file: samples/x.csv
        decomposed: true
        rows: [{record: {number: X, at: 2017-03-20T01:05:00Z, person: Bình, content: c, status: 2}}]
    """
    assert results(folder, "one-stop-csv/step", text) == [()]


def test_pytest_collects_cases_and_missing_tests(tmp_path: Path) -> None:
    copytree(CATALOGUE / "lgsp", tmp_path / "lgsp")
    (tmp_path / "lgsp" / "dossier_test.yaml").unlink()
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "mappings.conftest", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=180, check=False, cwd=Path(__file__).parents[3]
    )
    assert "the mapping has no test: write dossier_test.yaml beside it" in done.stdout
    assert "1 failed, 4 passed" in done.stdout
