from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from adapters.sandbox.portal_log import Effect, PortalLog


def read(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_an_effect_is_with_the_operating_system_when_accept_returns(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "cong.jsonl"
    log = PortalLog(path)
    log.accept(
        [Effect("DongBoHoSoMC", "H59-1", {"GhiChu": "đã nhận"}, False), Effect("CapNhatTienDoHoSoMC", "H59-1", {})]
    )
    first, second = read(path)
    assert {k: v for k, v in first.items() if k != "at"} == {
        "n": 1,
        "service": "DongBoHoSoMC",
        "updating": False,
        "number": "H59-1",
        "data": {"GhiChu": "đã nhận"},
    }
    assert (second["n"], second["updating"]) == (2, None)
    assert log.knows("DongBoHoSoMC", "H59-1")
    assert not log.knows("DongBoHoSoMC", "H59-2")
    log.close()


def test_refusals_have_a_file_of_their_own(tmp_path: Path) -> None:
    log = PortalLog(tmp_path / "cong.jsonl")
    log.refuse("DongBoHoSoMC", ["a", "b"], {"message": "lỗi"})
    log.close()
    [line] = read(tmp_path / "cong.jsonl.refused")
    assert (line["numbers"], line["answer"]) == (["a", "b"], {"message": "lỗi"})
    assert read(tmp_path / "cong.jsonl") == []
    assert log.state() == {"accepted": {}, "numbers": {}, "refused": {"DongBoHoSoMC": 1}}


def test_a_log_is_read_back_and_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "cong.jsonl"
    log = PortalLog(path)
    log.accept([Effect("SyncDocument", "a", {}), Effect("SyncDocument", "b", {})])
    log.close()
    with path.open("ab") as file:
        file.write(b'{"n": 3, "service": "SyncDocument", "numb')
    again = PortalLog(path)
    assert again.state()["accepted"] == {"SyncDocument": 2}
    again.accept([Effect("SyncDocument", "c", {})])
    again.close()
    assert [(line["n"], line["number"]) for line in read(path)] == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.parametrize("line", [b"text\n", b"[]\n", b"{}\n", b'{"n": 1}\n'])
def test_a_file_that_is_no_log_is_named_with_its_line_and_left_alone(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "other.txt"
    path.write_bytes(line)
    with pytest.raises(ValueError, match=r"other\.txt:1: not a line of a portal's log"):
        PortalLog(path)
    assert path.read_bytes() == line


def test_without_a_file_it_counts() -> None:
    log = PortalLog(None)
    log.accept([Effect("SyncDocument", "a", {})] * 2)
    log.refuse("SyncDocument", ["a"], None)
    assert log.state() == {
        "accepted": {"SyncDocument": 2},
        "numbers": {"SyncDocument": 1},
        "refused": {"SyncDocument": 1},
    }
    log.close()
