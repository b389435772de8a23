from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters import lgsp
from adapters.calling import Broken, Caller, NotSent, Outcome
from adapters.lgsp import LgspDestination, LgspSettings
from hub.answers import Answer
from hub.ports import AdapterContext, Fault, FaultClass, Mode, Outgoing, Receipt, Unknown
from schemas.errors import DestinationFault

CONTEXT = AdapterContext("provincial", Path())
OK = Answer(200, b"taken")


def token(value: object = "t1", life_s: object = 3600) -> Answer:
    return Answer(200, orjson.dumps({"access_token": value, "token_type": "Bearer", "expires_in": life_s}))


class Script(Caller):
    """A caller that answers from a list and keeps what it was asked."""

    def __init__(self, *outcomes: Outcome) -> None:
        super().__init__("http://127.0.0.1:9")
        self.outcomes = list(outcomes)
        self.asked: list[tuple[str, bytes, bytes]] = []

    async def post(self, path: str, headers: bytes, content: bytes, deadline_s: float) -> Outcome:
        self.asked.append((path, headers, content))
        return self.outcomes.pop(0)


Made = Callable[..., tuple[LgspDestination, Script]]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    def make(*outcomes: Outcome, **settings: Any) -> tuple[LgspDestination, Script]:
        script = Script(*outcomes)
        monkeypatch.setattr(lgsp, "caller", lambda *_: script)
        own = {"url": "http://127.0.0.1:9", "client_id": "hub", "client_secret": "bí mật&=", **settings}
        return LgspDestination(LgspSettings(**own), CONTEXT), script

    return make


def record(n: int, kind: str = "dossier.v1", mode: Mode = Mode.NEW) -> Outgoing:
    return Outgoing(n, kind, f"H59-{n}", f"H59-{n}", mode, {"DocCode": f"H59-{n}"})


def test_each_record_goes_alone_under_one_token(made: Made) -> None:
    destination, script = made(token(), OK, OK, OK)
    batches = destination.batches([record(1), record(2, mode=Mode.UPDATE), record(3, "dossier-step.v1", Mode.EVENT)])
    assert [len(b) for b in batches] == [1, 1, 1]

    async def main() -> None:
        for n, batch in enumerate(batches, 1):
            assert await destination.deliver(batch, 5) == [Receipt(n)]

    asyncio.run(main())
    assert [path for path, _, _ in script.asked] == [
        "/token",
        "/Document/SyncDocument",
        "/Document/SyncDocument",
        "/Document/UpdateDocumentTraces",
    ]
    secret = b"grant_type=client_credentials&client_id=hub&client_secret=b%C3%AD+m%E1%BA%ADt%26%3D"
    assert script.asked[0][2] == secret
    assert b"Authorization: Bearer t1\r\n" in script.asked[1][1]
    assert orjson.loads(script.asked[1][2]) == {"DocCode": "H59-1"}


def test_a_token_that_the_platform_refuses_is_renewed_once(made: Made) -> None:
    destination, script = made(token(), Answer(401), token("t2"), OK)
    assert asyncio.run(destination.deliver([record(1)], 5)) == [Receipt(1)]
    assert b"Bearer t2" in script.asked[3][1]
    destination, script = made(token(), Answer(401), token("t2"), Answer(401))
    [result] = asyncio.run(destination.deliver([record(1)], 5))
    assert isinstance(result, Fault)
    assert result.fault is FaultClass.SESSION
    assert script.outcomes == []


@pytest.mark.parametrize(
    ("life_s", "renew_before_s", "expected"),
    [
        (3600, 60, 3540.0),
        ("3600", 60, 3540.0),
        (10, 60, 5.0),
        (0, 60, None),
        (-5, 60, None),
        (None, 60, None),
        ("soon", 60, None),
        (float("nan"), 60, None),
        (float("inf"), 60, None),
        ([], 60, None),
    ],
)
def test_a_token_is_renewed_before_it_ends(
    made: Made, life_s: object, renew_before_s: float, expected: float | None
) -> None:
    destination, _ = made(renew_before_s=renew_before_s)
    assert destination._end(life_s, 0.0) == expected


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b""),
        Answer(200, b"[]"),
        token(None),
        token(""),
        token(7),
        token("t\r\nX-Evil: 1"),
        Answer(401, b'{"error": "invalid_client"}'),
        Answer(400, b""),
    ],
)
def test_a_token_that_is_none_is_a_log_in_that_failed_and_nothing_is_sent(made: Made, answer: Answer) -> None:
    destination, script = made(answer)
    [result] = asyncio.run(destination.deliver([record(1)], 5))
    assert isinstance(result, Fault)
    assert result.fault is FaultClass.SESSION
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Answer(201), FaultClass.TRANSIENT),
        (Answer(400), FaultClass.DATA),
        (Answer(429, retry_after_s=9), FaultClass.THROTTLED),
        (Answer(500), FaultClass.TRANSIENT),
        (Answer(503), FaultClass.DOWN),
    ],
)
def test_other_answers_go_by_their_class(made: Made, outcome: Answer, expected: FaultClass) -> None:
    destination, _ = made(token(), outcome)
    [result] = asyncio.run(destination.deliver([record(1)], 5))
    assert isinstance(result, Fault)
    assert (result.fault, result.retry_after_s, result.whole_batch) == (expected, outcome.retry_after_s, False)


def test_a_broken_line_is_unknown_and_a_refused_one_is_down(made: Made) -> None:
    destination, _ = made(token(), Broken("reset"))
    assert asyncio.run(destination.deliver([record(1)], 5)) == [Unknown(1, "reset")]
    destination, _ = made(token(), *[NotSent("refused")] * 4)
    assert asyncio.run(destination.deliver([record(1)], 5)) == [Fault(1, FaultClass.DOWN, "not-sent", "refused")]


def test_a_kind_without_a_service_is_refused_without_a_call(made: Made) -> None:
    destination, script = made()
    [result] = asyncio.run(destination.deliver([record(1, "document.v1")], 5))
    assert isinstance(result, Fault)
    assert result.fault is FaultClass.DATA
    assert script.asked == []


def test_there_is_no_look_up(made: Made) -> None:
    destination, _ = made()
    assert not destination.can_look_up
    with pytest.raises(DestinationFault, match="no look-up"):
        asyncio.run(destination.look_up(["H59-1"], 5))


def test_probing_gets_a_token(made: Made) -> None:
    destination, _ = made(token())
    assert asyncio.run(destination.probe()) == []
    destination, _ = made(Answer(401))
    [problem] = asyncio.run(destination.probe())
    assert "client_secret" in problem.mend


@pytest.mark.parametrize("status", [502, 504])
def test_r8_what_a_gateway_lost_may_have_been_taken(made: Made, status: int) -> None:
    destination, script = made(token(), Answer(status, b"<html>Bad Gateway</html>"))
    [result] = asyncio.run(destination.deliver([record(1)], 5))
    assert isinstance(result, Unknown)
    assert result.down
    assert len(script.asked) == 2, "it is not repeated"
