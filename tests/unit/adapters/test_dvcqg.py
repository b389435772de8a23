from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters import dvcqg
from adapters.calling import Broken, Caller, NotSent, Outcome
from adapters.dvcqg import DvcqgDestination, DvcqgSettings
from hub.answers import Answer, AnswerTable
from hub.ports import AdapterContext, Fault, FaultClass, Mode, Outgoing, Receipt, Result, Unknown
from schemas.errors import ConfigError, DestinationFault

SETTINGS: dict[str, Any] = {
    "url": "http://127.0.0.1:9",
    "username": "tra-vinh",
    "password": "mat-khau",
    "dstcode": "VN:GOV",
    "madonvi": "H59",
}
CONTEXT = AdapterContext("national", Path())
SESSION = Answer(200, b'{"session": "s1", "error_code": "00"}')
OK = Answer(200, b'{"error_code": "00"}')


class Script(Caller):
    """A caller that answers from a list and keeps what it was asked."""

    def __init__(self, *outcomes: Outcome) -> None:
        super().__init__("http://127.0.0.1:9")
        self.outcomes = list(outcomes)
        self.asked: list[tuple[str, bytes, dict[str, Any]]] = []

    async def post(self, path: str, headers: bytes, content: bytes, deadline_s: float) -> Outcome:
        self.asked.append((path, headers, orjson.loads(content)))
        return self.outcomes.pop(0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[DvcqgDestination, Script]]:
    def make(*outcomes: Outcome, **settings: Any) -> tuple[DvcqgDestination, Script]:
        script = Script(*outcomes)
        monkeypatch.setattr(dvcqg, "caller", lambda *_: script)
        return DvcqgDestination(DvcqgSettings(**{**SETTINGS, **settings}), CONTEXT), script

    return make


Made = Callable[..., tuple[DvcqgDestination, Script]]


def dossier(n: int, mode: Mode = Mode.NEW, limit: int = 0) -> Outgoing:
    return Outgoing(n, "dossier.v1", f"H59-{n}", f"H59-{n}", mode, {"MaHoSo": f"H59-{n}"}, limit)


def step(n: int, limit: int = 0) -> Outgoing:
    return Outgoing(n, "dossier-step.v1", f"H59-{n}|1", f"H59-{n}", Mode.EVENT, {"MaHoSo": f"H59-{n}"}, limit)


def send(destination: DvcqgDestination, *batch: Outgoing) -> Sequence[Result]:
    return asyncio.run(destination.deliver(batch, 5))


@pytest.mark.parametrize(("mode", "flag"), [(Mode.NEW, "False"), (Mode.UPDATE, "True")])
def test_dossiers_travel_as_the_portal_wants_them(made: Made, mode: Mode, flag: str) -> None:
    destination, script = made(SESSION, OK)
    assert send(destination, dossier(1, mode), dossier(2, mode)) == [Receipt(1), Receipt(2)]
    assert script.asked == [
        ("/login", destination._headers, {"username": "tra-vinh", "password": "mat-khau"}),
        (
            "/integration",
            destination._headers,
            {
                "session": "s1",
                "madonvi": "H59",
                "service": "DongBoHoSoMC",
                "isUpdating": flag,
                "data": [{"MaHoSo": "H59-1"}, {"MaHoSo": "H59-2"}],
            },
        ),
    ]
    assert b"dstcode: VN:GOV\r\n" in destination._headers


def test_steps_have_a_service_of_their_own_and_no_flag(made: Made) -> None:
    destination, script = made(SESSION, OK)
    assert send(destination, step(1)) == [Receipt(1)]
    assert script.asked[1][2]["service"] == "CapNhatTienDoHoSoMC"
    assert "isUpdating" not in script.asked[1][2]


@given(
    records=st.lists(
        st.builds(
            lambda n, what, limit: step(n, limit) if what is Mode.EVENT else dossier(n, what, limit),
            st.integers(0, 99),
            st.sampled_from(list(Mode)),
            st.sampled_from([0, 1, 3]),
        ),
        max_size=60,
    )
)
def test_batches_are_homogeneous_within_limits_and_lose_nothing(records: list[Outgoing]) -> None:
    destination = DvcqgDestination(DvcqgSettings(**SETTINGS, batch=7, steps_batch=4), CONTEXT)
    batches = destination.batches(records)
    for batch in batches:
        assert len({(each.kind, each.mode) for each in batch}) == 1
        assert len(batch) <= (4 if batch[0].mode is Mode.EVENT else 7)
        assert all(each.batch_limit == 0 or len(batch) <= each.batch_limit for each in batch)
    assert sorted(id(each) for batch in batches for each in batch) == sorted(map(id, records))


def test_r14_a_mixed_batch_is_a_defect_and_not_sent(made: Made) -> None:
    destination, script = made()
    with pytest.raises(ValueError, match="one kind and one mode"):
        send(destination, dossier(1), dossier(2, Mode.UPDATE))
    assert script.asked == []


def test_a_kind_without_a_service_is_refused_without_a_call(made: Made) -> None:
    destination, script = made()
    [result] = send(destination, Outgoing(1, "document.v1", "k", "k", Mode.NEW, {}))
    assert isinstance(result, Fault)
    assert (result.fault, result.code) == (FaultClass.DATA, "unsupported-kind")
    assert script.asked == []
    assert send(destination) == []


def test_r14_a_batch_refused_whole_says_so(made: Made) -> None:
    exists = Answer(200, '{"error_code": "3", "message": "Hồ sơ đã tồn tại"}'.encode())
    destination, _ = made(SESSION, exists, exists)
    results = send(destination, dossier(1), dossier(2))
    assert [(r.fault, r.whole_batch) for r in results if isinstance(r, Fault)] == [(FaultClass.ALREADY_THERE, True)] * 2
    [alone] = send(destination, dossier(1))
    assert isinstance(alone, Fault)
    assert not alone.whole_batch


def items(*results: object, code: object = "00") -> Answer:
    return Answer(200, orjson.dumps({"error_code": code, "result": list(results)}))


def item(n: int, code: object = "00", message: str = "") -> dict[str, Any]:
    return {"MaHoSo": f"H59-{n}", "error_code": code, "message": message}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (items(item(2), item(1)), ["ok", "ok"]),
        (items(item(1), item(2, "3", "Hồ sơ đã tồn tại")), ["ok", "already-there"]),
        (items(item(1), item(2, "77"), code=None), ["ok", "transient"]),
        # missing, twice, extra, without a number, no list at all: what became of those is unknown
        (items(item(1)), ["ok", "unknown"]),
        (items(item(1), item(2), item(2)), ["ok", "unknown"]),
        (items(item(1), item(3)), ["ok", "unknown"]),
        (items(item(1), {"error_code": "00"}, None, [], 7), ["ok", "unknown"]),
        (items(), ["unknown", "unknown"]),
        (OK, ["unknown", "unknown"]),
        # refused whole, without a list
        (Answer(200, b'{"error_code": "77"}'), ["transient", "transient"]),
        (Answer(422, b""), ["data", "data"]),
    ],
)
def test_r14_answers_per_item_are_matched_by_number(made: Made, answer: Answer, expected: list[str]) -> None:
    destination, _ = made(SESSION, answer, per_item=True)
    results = send(destination, dossier(1), dossier(2))
    assert [r.dispatch_id for r in results] == [1, 2]
    shown = ["ok" if isinstance(r, Receipt) else "unknown" if isinstance(r, Unknown) else str(r.fault) for r in results]
    assert shown == expected


def test_r14_two_records_of_one_number_cannot_be_matched(made: Made) -> None:
    destination, _ = made(SESSION, items(item(1), item(1)), per_item=True)
    assert all(isinstance(r, Unknown) for r in send(destination, dossier(1), dossier(1)))


def test_a_broken_line_is_unknown_and_a_refused_one_is_down(made: Made) -> None:
    destination, _ = made(SESSION, Broken("reset"))
    assert send(destination, dossier(1)) == [Unknown(1, "reset")]
    destination, script = made(SESSION, *[NotSent("refused")] * 4)
    [result] = send(destination, dossier(1))
    assert result == Fault(1, FaultClass.DOWN, "not-sent", "refused")
    assert script.outcomes == []


def test_a_log_in_that_is_refused_sends_nothing(made: Made) -> None:
    destination, script = made(Answer(200, '{"session": null, "message": "Sai mật khẩu"}'.encode()))
    [result] = send(destination, dossier(1))
    assert isinstance(result, Fault)
    assert result.fault is FaultClass.SESSION
    assert "Sai mật khẩu" in result.text
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("answer", "there"),
    [(b'{"result": [{}]}', True), (b'{"result": []}', False), (b'{"error_code": 0, "result": []}', False)],
)
def test_a_look_up_finds_or_does_not(made: Made, answer: bytes, there: bool) -> None:
    destination, script = made(SESSION, Answer(200, answer))
    assert asyncio.run(destination.look_up(["H59-1"], 5)) == {"H59-1": there}
    assert script.asked[1][2] == {"session": "s1", "madonvi": "H59", "service": "TraCuuHoSo", "mahoso": "H59-1"}


@pytest.mark.parametrize("outcome", [Broken("reset"), NotSent("refused"), Answer(500)])
def test_a_look_up_is_repeated_whatever_became_of_it(made: Made, outcome: Outcome) -> None:
    destination, _ = made(SESSION, outcome, Answer(200, b'{"result": []}'))
    assert asyncio.run(destination.look_up(["H59-1"], 5)) == {"H59-1": False}


@pytest.mark.parametrize(
    "answer",
    [b"", b"{}", b'{"result": null}', b'{"error_code": "77", "result": []}', b'{"message": "l\xe1\xbb\x97i"}'],
)
def test_a_look_up_that_was_not_answered_says_neither(made: Made, answer: bytes) -> None:
    destination, _ = made(SESSION, Answer(200, answer))
    with pytest.raises(DestinationFault, match="TraCuuHoSo"):
        asyncio.run(destination.look_up(["H59-1"], 5))


def test_a_look_up_of_a_portal_that_is_not_there_says_down(made: Made) -> None:
    destination, _ = made(*[NotSent("refused")] * 3)
    with pytest.raises(DestinationFault, match="refused") as caught:
        asyncio.run(destination.look_up(["H59-1"], 5))
    assert caught.value.down


@given(content=st.binary(max_size=200), status=st.integers(100, 599), per_item=st.booleans())
def test_no_answer_makes_delivering_raise(content: bytes, status: int, per_item: bool) -> None:
    destination = DvcqgDestination(DvcqgSettings(**SETTINGS, per_item=per_item), CONTEXT)
    destination._caller = Script(SESSION, Answer(status, content), SESSION, Answer(status, content))
    results = send(destination, dossier(1), dossier(2))
    assert [r.dispatch_id for r in results] == [1, 2]
    assert not any(isinstance(r, Receipt) for r in results) or content


def test_per_item_needs_a_table_that_says_where(made: Made) -> None:
    rules = [{"when": {"status": 200}, "is": "success"}]
    table = AnswerTable.from_data({"answers": "x", "code": "c", "message": "m", "rules": rules}, "x.yaml")
    with pytest.raises(ConfigError, match=r"destinations\.national\.settings\.per_item"):
        DvcqgDestination(DvcqgSettings(**SETTINGS, per_item=True), AdapterContext("national", Path(), table))


@pytest.mark.parametrize(
    "wrong", [{"batch": 0}, {"dstcode": "a\r\nb"}, {"login_path": "login"}, {"username": ""}, {"surprise": 1}]
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DvcqgSettings(**{**SETTINGS, **wrong})


def test_the_password_is_not_shown() -> None:
    assert "mat-khau" not in repr(DvcqgSettings(**SETTINGS))


def test_probing_logs_in(made: Made) -> None:
    destination, _ = made(SESSION)
    assert asyncio.run(destination.probe()) == []
    destination, _ = made(*[NotSent("refused")] * 3)
    [problem] = asyncio.run(destination.probe())
    assert "refused" in problem.message
    assert problem.mend


GATEWAY_RULE = {"when": {"status": [502, 504]}, "is": "down", "say": "gateway refuses before the portal is asked"}


@pytest.mark.parametrize("status", [502, 504])
def test_r8_what_a_gateway_lost_may_have_been_taken(made: Made, status: int) -> None:
    destination, script = made(SESSION, Answer(status, b"<html>Bad Gateway</html>"))
    results = send(destination, dossier(1), dossier(2))
    assert [(r.dispatch_id, r.down) for r in results if isinstance(r, Unknown)] == [(1, True), (2, True)]
    assert len(script.asked) == 2, "it is not repeated"


@pytest.mark.parametrize("status", [502, 504])
def test_a_rule_for_the_gateway_goes_before(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    rules = [GATEWAY_RULE, {"when": {"status": "200-299"}, "is": "success"}]
    table = AnswerTable.from_data(
        {"answers": "x", "title": "X", "code": "error_code", "message": "message", "rules": rules}, "x.yaml"
    )
    monkeypatch.setattr(dvcqg, "caller", lambda *_: Script(SESSION, Answer(status)))
    destination = DvcqgDestination(DvcqgSettings(**SETTINGS), AdapterContext("national", Path(), table))
    [result] = send(destination, dossier(1))
    assert isinstance(result, Fault)
    assert result.fault is FaultClass.DOWN
