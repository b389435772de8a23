"""`hub queues`: every destination at a glance."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.forecast import Forecast
from hub.ledger.views import OpenAlert, QueueState, StrangeCode
from schemas.errors import BusFault

HELD = QueueState("national", "held", "the connection was refused", waiting=1200, queued=3, dead=2, delivered=5000)
OPEN = QueueState("provincial", "open", delivered=6200)


def trimmed(told: str) -> str:
    return "\n".join(line.rstrip() for line in told.splitlines()) + "\n"


def test_a_closed_gate_and_dead_letters_are_explained(hub: Any, reader: Any) -> None:
    reader.states = [HELD, OPEN]
    ran = hub("queues")
    assert ran.status == 0
    assert "national\n  held: the connection was refused" in trimmed(ran.out)
    assert "  2 dead letters: hub dead list --destination national\n" in trimmed(ran.out)
    assert "1,200" in ran.out
    assert "On the bus" not in ran.out


def test_json(hub: Any, reader: Any) -> None:
    reader.states = [HELD]
    [state] = hub("queues", "--json").json["queues"]
    assert (state["destination"], state["gate"], state["waiting"], state["bus_depth"]) == (
        "national",
        "held",
        1200,
        None,
    )


class Broker:
    def __init__(self, fault: BusFault | None) -> None:
        self.fault = fault

    async def start(self, destinations: list[str]) -> None:
        if self.fault is not None:
            raise self.fault

    async def depths(self) -> dict[str, int]:
        return {"national": 3}

    async def stop(self) -> None:
        pass


@pytest.mark.parametrize("fault", [None, BusFault("nobody answers", down=True)])
def test_a_brokers_queues_are_measured_where_it_answers(
    hub: Any, reader: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, fault: BusFault | None
) -> None:
    reader.states = [HELD, OPEN]
    config = tmp_path / "hub.yaml"
    config.write_text("bus: {url: 'amqp://mq/hub'}\n", encoding="utf-8")
    monkeypatch.setattr("hub.bus.open_bus", lambda url, **settings: Broker(fault))
    ran = hub("queues", "--config", str(config))
    assert ran.status == 0
    assert ("On the bus" in ran.out) == (fault is None)
    assert ("warning: how many messages wait in the broker is not known: nobody answers" in ran.err) == bool(fault)


def test_a_bus_that_is_none_is_refused(hub: Any, reader: Any, tmp_path: Path) -> None:
    reader.states = [OPEN]
    config = tmp_path / "hub.yaml"
    config.write_text("hub: {name: thu}\n", encoding="utf-8")
    ran = hub("queues", "--config", str(config), "--bus", "foo")
    assert (ran.status, ran.out) == (1, "")
    assert "bus.url: is neither 'embedded:' nor amqp://USER:PASSWORD@HOST/VHOST" in ran.err
    assert hub("queues", "--config", str(config), "--bus", "embedded:").status == 0


def test_in_eighty_columns_no_name_is_split_and_empty_columns_are_left_out(
    hub: Any, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "provincial-integration-axis"
    reader.states = [replace(HELD, destination=name, waiting=1_234_567, dead=0), OPEN]
    assert "Unknown" in hub("queues").out
    monkeypatch.setenv("COLUMNS", "80")
    told = hub("queues").out
    assert [line.split()[:3] for line in told.splitlines() if "1,234,567" in line] == [[name, "held", "1,234,567"]]
    assert "Unknown" not in told
    assert "Dead" not in told
    assert "Delivered" in told


SINCE = datetime(2017, 3, 20, 1, 0, tzinfo=UTC)
MIDNIGHT = datetime(2017, 3, 20, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (
            Forecast(900, 1200, 0, 83.4, 720.0, 3),
            "drained in 12 min at the present 83 a second; 3 dossiers will pass their due date first",
        ),
        (
            Forecast(900, 1200, 2, 0.25, 7200.0, 1),
            "drained in 2 h 00 min at the present 0.2 a second; 1 dossier will pass its due date first; 2 are overdue "
            "already",
        ),
        (
            Forecast(9, 9, 0, 1 / 60, 540.0, 0),
            "drained in 9 min at the present 60 an hour; 0 dossiers will pass their due date first",
        ),
        (
            Forecast(900, 1200, 1),
            "nothing came to its end in the last minute, so that nobody knows when all is drained; 1 is overdue "
            "already",
        ),
        (
            Forecast(900, 1200, 0, pass_due_date=12, closed_until=MIDNIGHT),
            "closed: 12 dossiers will pass their due date if it stays so until 21/03/2017 00:00:00",
        ),
    ],
)
def test_what_is_to_be_expected_is_said_in_one_line(
    hub: Any, reader: Any, monkeypatch: pytest.MonkeyPatch, expected: Forecast, said: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    reader.states = [replace(HELD, forecast=expected)]
    ran = hub("queues")
    assert f"\n  {said}\n" in trimmed(ran.out)
    monkeypatch.delenv("COLUMNS")
    [state] = hub("queues", "--json").json["queues"]
    assert state["forecast"]["pass_due_date"] == expected.pass_due_date
    assert state["forecast"]["overdue"] == expected.overdue


def test_of_what_does_not_move_nothing_is_forecast(hub: Any, reader: Any) -> None:
    reader.states = [replace(OPEN, forecast=Forecast(0, 0, 0, None, 0.0, 0))]
    assert "drained" not in hub("queues").out


def test_unknown_outcomes_are_shown_with_what_to_do(hub: Any, reader: Any) -> None:
    sent = datetime.now(UTC) - timedelta(minutes=20, seconds=5)
    reader.states = [replace(HELD, unknown=3, undecided=2, unknown_since=sent, urgent=1, stuck=4)]
    told = " ".join(hub("queues").out.split())
    assert "3 unknown outcomes, the oldest sent 20 min ago 2 of them wait for your word: hub unknown list" in told
    assert "hub unknown list --destination national" in told
    assert "1 dossier is due soon and goes before the others" in told
    assert "4 more wait behind a dead letter, a missing dossier or an unknown outcome" in told
    reader.states = [replace(HELD, unknown=1, unknown_since=sent)]
    assert "the hub asks the portal, or sends again, by itself" in " ".join(hub("queues").out.split())


def test_what_is_no_code_is_told_in_words(hub: Any, reader: Any) -> None:
    codes = [StrangeCode("send", 200, code, "", 1, SINCE, SINCE) for code in ('"17"', "missing", "unreadable")]
    reader.states = [replace(HELD, strange_codes=codes)]
    told = hub("queues").out
    for said in ('"17" (HTTP 200, send)', "no code (HTTP 200, send)", "an answer that cannot be read (HTTP 200, send)"):
        assert f"    {said} once" in told


def test_codes_that_no_table_knows_are_counted_and_the_portals_words_are_masked(hub: Any, reader: Any) -> None:
    codes = [StrangeCode("DongBoHoSo", 200, f"9{n}", "hồ sơ của Nguyễn An", 40 - n, SINCE, SINCE) for n in range(7)]
    codes.append(StrangeCode("DongBoHoSo", 418, "", "", 1, SINCE, SINCE))
    reader.states = [replace(HELD, strange_codes=codes)]
    told = hub("queues").out
    assert "  codes that its table of answers does not know:" in told
    assert "    90 (HTTP 200, DongBoHoSo) 40 times, last 20/03/2017 08:00:00" in told
    assert "and 3 more; --json has them" in told
    assert "Nguyễn" not in told
    assert "Nguyễn" not in hub("queues", "--json").out
    assert "hồ sơ của Nguyễn An" in hub("queues", "--reveal").out
    [state] = hub("queues", "--json", "--reveal").json["queues"]
    assert state["strange_codes"][0]["text"] == "hồ sơ của Nguyễn An"
    assert len(state["strange_codes"]) == 8


def test_alerts_that_are_open_are_shown(hub: Any, reader: Any) -> None:
    reader.states, reader.trouble = [OPEN], [OpenAlert("so-tttt", "source", "không đọc được", SINCE, 3)]
    assert "alert since 20/03/2017 08:00:00: so-tttt: không đọc được" in hub("queues").out
    assert hub("queues", "--json").json["alerts"] == [
        {
            "subject": "so-tttt",
            "trouble": "source",
            "text": "không đọc được",
            "opened_at": "2017-03-20T08:00:00+07:00",
            "count": 3,
        }
    ]


def test_in_eighty_columns_no_line_is_longer(hub: Any, reader: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    codes = [StrangeCode("DongBoHoSo", 200, "99", "lạ", 40, SINCE, SINCE)]
    expected = Forecast(900, 1200, 2, 83.0, 720.0, 3)
    reader.states = [replace(HELD, unknown=3, undecided=2, forecast=expected, strange_codes=codes, urgent=2, stuck=9)]
    assert max(map(len, hub("queues").out.splitlines())) <= 80
