from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.calling import Broken, NotSent, Outcome
from adapters.portal import (
    ATTEMPTS,
    Clock,
    Credential,
    Held,
    LogInFault,
    PortalSettings,
    ask_logged_in,
    caller,
    gateway_lost,
    refused,
    repeated,
    was_not_answered,
    was_not_sent,
)
from hub.answers import Answer, AnswerTable, Verdict, load_answers
from hub.ports import AdapterContext, FaultClass, Mode, Outgoing
from schemas.errors import ConfigError

TABLE = load_answers("dvcqg")
OK = Answer(200, b'{"error_code": "00"}')
DEAD = Answer(200, '{"message": "Phiên làm việc đã hết hạn"}'.encode())
ODD = Answer(200, b"{}")


class LogIn:
    """Gives sessions `1`, `2`, … or raises what it was given."""

    def __init__(self, *failures: LogInFault, life_s: float | None = None) -> None:
        self.failures, self.life_s, self.asked = list(failures), life_s, 0

    async def __call__(self, deadline_s: float) -> Held:
        self.asked += 1
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        now = asyncio.get_running_loop().time()
        return Held(str(self.asked), b"", now, None if self.life_s is None else now + self.life_s)


def test_one_log_in_serves_all_who_wait() -> None:
    async def main() -> None:
        log_in = LogIn()
        session = Credential(log_in)
        held = await asyncio.gather(*(session.get(5) for _ in range(20)))
        assert {h.value for h in held} == {"1"}
        assert log_in.asked == 1

    asyncio.run(main())


def test_a_session_that_ended_is_renewed_and_one_that_another_replaced_is_not_dropped() -> None:
    async def main() -> None:
        log_in = LogIn(life_s=0.0)
        session = Credential(log_in)
        first, second = await session.get(5), await session.get(5)
        assert (first.value, second.value) == ("1", "2")
        log_in.life_s = None
        third = await session.get(5)
        session.drop(first)
        assert await session.get(5) is third
        session.drop(third)
        assert (await session.get(5)).value == "4"

    asyncio.run(main())


def test_a_refused_log_in_is_not_repeated_at_once_but_one_that_was_down_is() -> None:
    async def main() -> None:
        wrong = LogInFault(FaultClass.SESSION, "log-in", "wrong password")
        log_in = LogIn(wrong)
        session = Credential(log_in)
        for _ in range(5):
            with pytest.raises(LogInFault, match="wrong password"):
                await session.get(5)
        assert log_in.asked == 1
        log_in = LogIn(LogInFault(FaultClass.DOWN, "log-in", "refused"))
        session = Credential(log_in)
        with pytest.raises(LogInFault, match="refused"):
            await session.get(5)
        assert (await session.get(5)).value == "2"

    asyncio.run(main())


def test_a_log_in_that_hangs_ends_with_the_deadline_of_who_waits() -> None:
    async def hang(deadline_s: float) -> Held:
        await asyncio.Event().wait()
        raise AssertionError

    async def main() -> None:
        session = Credential(hang)
        found = await asyncio.gather(*(session.get(0.05) for _ in range(3)), return_exceptions=True)
        assert [f.fault for f in found if isinstance(f, LogInFault)] == [FaultClass.DOWN] * 3

    asyncio.run(main())


@pytest.mark.parametrize(
    ("outcome", "fault"),
    [
        (NotSent("refused"), FaultClass.DOWN),
        (Broken("timed out"), FaultClass.DOWN),
        (Answer(500), FaultClass.DOWN),
        (Answer(503), FaultClass.DOWN),
        (Answer(429, retry_after_s=3), FaultClass.THROTTLED),
        (Answer(400), FaultClass.SESSION),
        (Answer(200, b"{}"), FaultClass.SESSION),
        (OK, FaultClass.SESSION),
    ],
)
def test_a_log_in_that_failed_is_no_dossiers_fault(outcome: Outcome, fault: FaultClass) -> None:
    failure = LogInFault.of(outcome, TABLE, "the answer holds no session")
    assert failure.fault is fault
    assert failure.text.startswith("log-in: ")


class Portal:
    """Answers `send` from a list, and remembers the sessions it was sent under."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes, self.sessions = list(outcomes), list[str]()

    async def __call__(self, held: Held, left_s: float) -> Outcome:
        self.sessions.append(held.value)
        return self.outcomes.pop(0)


def classify(answer: Answer) -> Verdict:
    return TABLE.classify(answer, mode=Mode.NEW)


@pytest.mark.parametrize(
    ("outcomes", "doubt_s", "sessions", "fault"),
    [
        ([OK], 1e9, ["1"], None),
        ([DEAD, OK], 1e9, ["1", "2"], None),
        ([DEAD, DEAD], 1e9, ["1", "2"], FaultClass.SESSION),
        ([ODD], 1e9, ["1"], FaultClass.TRANSIENT),
        # older than it may be in doubt: perhaps it died without saying so; only ever once more
        ([ODD, OK], -1, ["1", "2"], None),
        ([ODD, ODD], -1, ["1", "2"], FaultClass.TRANSIENT),
        ([NotSent(""), NotSent(""), OK], 1e9, ["1", "1", "1"], None),
    ],
)
def test_a_session_that_died_is_replaced_and_the_request_sent_once_more(
    outcomes: list[Outcome], doubt_s: float, sessions: list[str], fault: FaultClass | None
) -> None:
    async def main() -> None:
        portal = Portal(*outcomes)
        _, verdict = await ask_logged_in(Credential(LogIn()), portal, classify, Clock(5), doubt_s=doubt_s)
        assert verdict is not None
        assert verdict.fault is fault
        assert portal.sessions == sessions

    asyncio.run(main())


def test_what_may_have_been_taken_is_never_repeated() -> None:
    async def main() -> None:
        portal = Portal(Broken("reset"), OK)
        outcome, verdict = await ask_logged_in(Credential(LogIn()), portal, classify, Clock(5))
        assert isinstance(outcome, Broken)
        assert verdict is None
        assert len(portal.sessions) == 1

    asyncio.run(main())


def test_repeating_ends_after_its_attempts_with_the_last_result() -> None:
    asked = 0

    async def call() -> Outcome:
        nonlocal asked
        asked += 1
        return NotSent(str(asked))

    assert asyncio.run(repeated(call, was_not_sent, 5)) == NotSent(str(ATTEMPTS))
    assert asked == ATTEMPTS
    assert [was_not_answered(o) for o in (Broken(""), Answer(502), Answer(404))] == [True, True, False]


@pytest.mark.parametrize(
    ("fault", "whole"),
    [
        (FaultClass.DATA, True),
        (FaultClass.ALREADY_THERE, True),
        (FaultClass.TRANSIENT, True),
        (FaultClass.DOWN, False),
        (FaultClass.THROTTLED, False),
        (FaultClass.SESSION, False),
    ],
)
def test_r14_a_batch_refused_whole_is_marked_where_a_culprit_can_be_in_it(fault: FaultClass, whole: bool) -> None:
    batch = [Outgoing(n, "dossier.v1", str(n), str(n), Mode.NEW, {}) for n in range(3)]
    verdict = Verdict(fault, "x", "y", True)
    assert [f.whole_batch for f in refused(batch, verdict)] == [whole] * 3
    assert [f.whole_batch for f in refused(batch[:1], verdict)] == [False]


@pytest.mark.parametrize(
    "url", ["", "portal", "ftp://x", "http://u:p@x", "http://x?a", "http://x y", "http://cổng.vn", "http://x:0"]
)
def test_what_is_no_base_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        PortalSettings(url=url)


def test_a_missing_file_of_certificates_is_named(tmp_path: Path) -> None:
    settings = PortalSettings(url="https://x", ca_file="ca.pem")
    with pytest.raises(ConfigError, match=r"destinations\.national\.settings\.ca_file.*ca\.pem"):
        caller(settings, AdapterContext("national", tmp_path))


@pytest.mark.parametrize(("status", "lost"), [(502, True), (504, True), (500, False), (503, False), (404, False)])
def test_a_gateway_that_lost_the_portal_is_told_from_a_portal_that_refuses(status: int, lost: bool) -> None:
    for content in (b"<html>Bad Gateway</html>", b""):
        answer = Answer(status, content)
        assert gateway_lost(answer, classify(answer)) is lost


def test_a_rule_of_the_table_says_what_a_gateway_s_answer_means() -> None:
    lost = {"when": {"status": [502, 504]}, "is": "down", "say": "cổng chưa nhận"}
    rules = [lost, {"when": {"status": "200-299"}, "is": "success"}]
    table = AnswerTable.from_data({"answers": "x", "title": "X", "code": "c", "message": "m", "rules": rules}, "x.yaml")
    for status in (502, 504):
        verdict = table.classify(Answer(status), mode=Mode.NEW)
        assert (verdict.fault, gateway_lost(Answer(status), verdict)) == (FaultClass.DOWN, False)
