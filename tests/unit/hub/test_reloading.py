"""What a reload takes, what it refuses whole, and what ends before something else takes its place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
import sqlalchemy as sa

from hub import registry
from hub.app import App
from hub.control import ask
from hub.ledger.audit import By
from hub.ledger.engine import open_engine
from hub.ledger.read import open_reader
from hub.operations import Reload
from hub.ports import Arrival, Cursor, Outgoing, Receipt, Result
from hub.settings import load
from schemas.errors import ConfigError, OperationRefused
from tests.unit.hub.line import dossier, page, until
from tests.unit.hub.test_app import Declared, Reads, Writes, states

Write = Callable[..., Path]
BY = By("lan", "a test")
CSV = ("one-stop-soap/dossier, one-stop-soap/step", "one-stop-csv/dossier, one-stop-csv/step")


class Grows(Reads):
    """Shows as many dossiers as it is told."""

    shown: ClassVar[list[str]] = []

    async def arrivals(self, cursor: Cursor) -> AsyncIterator[Arrival]:
        if not Grows.shown:
            return
        made = page(*(dossier(number) for number in Grows.shown))
        yield Arrival(**{name: getattr(made, name) for name in Arrival.__slots__} | {"source": self.name})


class Counts(Writes):
    """A portal that remembers what all of its instances took, and when they were closed."""

    took: ClassVar[list[str]] = []
    closed: ClassVar[list[str]] = []

    async def deliver(self, batch: Sequence[Outgoing], deadline_s: float) -> Sequence[Result]:
        await super().deliver(batch, deadline_s)
        Counts.took += [one.lane for one in batch]
        return [Receipt(one.dispatch_id) for one in batch]

    async def close(self) -> None:
        Counts.closed.append("closed")


@pytest.fixture
def file(write: Write, monkeypatch: pytest.MonkeyPatch) -> Path:
    Grows.shown, Counts.took, Counts.closed = [], [], []
    known = {"reads": Declared("tests:Grows", Grows), "writes": Declared("tests:Counts", Counts)}
    monkeypatch.setattr(registry, "declared", lambda: known)
    monkeypatch.setenv("HUB_PASSWORD", "x")
    return write(CSV, ("every_s: 1.5", "every_s: 0.02"))


def edit(file: Path, *replacements: tuple[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for before, after in replacements:
        assert before in text, before
        text = text.replace(before, after)
    file.write_text(text, encoding="utf-8")


@asynccontextmanager
async def hub(file: Path) -> AsyncIterator[App]:
    app, stop = App(load(file)), asyncio.Event()
    serving: asyncio.Task[None] | None = None
    try:
        await app.open()
        serving = asyncio.create_task(app.serve(stop))
        yield app
    finally:
        stop.set()
        if serving is not None:
            await asyncio.wait_for(serving, 30)
        await app.close()


def rows(app: App, sql: str) -> list[Any]:
    engine = open_engine(app.deployment.ledger.url, writer=False)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]
    finally:
        engine.dispose()


BESIDE = "to: [national]}\n  - {kinds: [dossier.v1], to: [provincial]"
SECOND = """\
  provincial:
    adapter: writes
    answers: dvcqg
    mappings: {dossier.v1: dvcqg/dossier}
    settings: {url: http://127.0.0.1:9}
"""


def test_what_is_broken_is_refused_whole_and_everything_wrong_is_said(file: Path) -> None:
    async def main() -> None:
        async with hub(file) as app:
            before = app.serving.runs
            edit(file, ("one-stop-csv/step", "one-stop-csv/stp"), ("to: [national]", "to: [nation]"))
            with pytest.raises(ConfigError) as refused:
                await app.reload(BY)
            assert sorted(one.rule for one in refused.value.problems) == [
                "unknown-destination",
                "unknown-mapping",
            ]
            assert all((one.file, one.line > 0) == (str(file), True) and one.mend for one in refused.value.problems)
            assert app.serving.runs is before
            Grows.shown = ["H59-1"]
            await until(lambda: Counts.took == ["H59-1"])
            assert rows(app, "SELECT id FROM configuration") == [(1,)]

    asyncio.run(main())


def test_what_needs_a_restart_is_refused_by_name_and_line(file: Path) -> None:
    async def main() -> None:
        async with hub(file) as app:
            edit(
                file,
                ('ledger: {url: "sqlite:///var/hub.db"}', 'ledger:\n  url: "sqlite:///var/other.db"\n  reserve_mb: 9'),
                ('bus: {url: "embedded:"}', 'bus: {url: "embedded:", prefix: another}'),
                ("deadline_s: 20", "deadline_s: 10"),
            )
            with pytest.raises(ConfigError) as refused:
                await app.reload(BY)
            said = [(one.rule, one.message, one.line) for one in refused.value.problems]
            assert said == [
                ("needs-restart", "ledger.url cannot change while the hub runs", 3),
                ("needs-restart", "ledger.reserve_mb cannot change while the hub runs", 4),
                ("needs-restart", "bus.prefix cannot change while the hub runs", 5),
            ]
            assert app.serving.delivers[0].deadline_s == 20

    asyncio.run(main())


def test_a_new_destination_and_another_route_hold_from_the_next_page_on(file: Path) -> None:
    async def main() -> None:
        async with hub(file) as app:
            Grows.shown = ["H59-1"]
            await until(lambda: Counts.took == ["H59-1"])
            edit(
                file,
                ("destinations:\n", f"destinations:\n{SECOND}"),
                ("to: [national]", BESIDE),
            )
            done = await app.reload(BY)
            assert {"new destination provincial", "configuration hub.yaml differs"} <= {*done.changes}
            Grows.shown = ["H59-2"]
            await until(lambda: sorted(Counts.took) == ["H59-1", "H59-2", "H59-2"])
            made = "SELECT h.key, r.configuration FROM revision r JOIN head h ON h.id = r.head_id ORDER BY h.id"
            assert rows(app, made) == [("H59-1", 1), ("H59-2", 2)]

    asyncio.run(main())


def test_what_is_on_the_wire_ends_before_the_destinations_next_loop_begins(file: Path) -> None:
    async def main() -> None:
        async with hub(file) as app:
            portal = cast(Counts, app.serving.portals["national"])
            portal.answers.clear()
            Grows.shown = ["H59-1"]
            await until(lambda: portal.sent == [["H59-1"]])
            edit(
                file,
                (
                    "      url: http://127.0.0.1:9\n    deadline_s: 20",
                    "      url: http://127.0.0.1:8\n    deadline_s: 20",
                ),
            )
            reloading = asyncio.create_task(app.reload(BY))
            await until(lambda: app.rules.configuration == 2)
            Grows.shown = ["H59-2"]
            await until(lambda: len(states(app.deployment)) == 2)
            assert not reloading.done(), "the old loop has not ended"
            assert Counts.closed == []
            portal.answers.set()
            await asyncio.wait_for(reloading, 20)
            assert Counts.closed == ["closed"]
            assert app.serving.portals["national"] is not portal
            await until(lambda: states(app.deployment) == ["delivered"] * 2)
            assert Counts.took == ["H59-1", "H59-2"]
            assert portal.sent == [["H59-1"]], "the second went by the new adapter"

    asyncio.run(main())


def test_a_destination_is_not_removed_while_something_is_on_its_way_to_it(file: Path) -> None:
    edit(
        file,
        ("destinations:\n", f"destinations:\n{SECOND}"),
        ("to: [national]", BESIDE),
    )

    async def main() -> None:
        async with hub(file) as app:
            await app.ledger.set_gate("provincial", "paused", "a test")
            Grows.shown = ["H59-1"]
            await until(lambda: states(app.deployment) == ["delivered", "waiting"])
            edit(file, (SECOND, ""), ("  - {kinds: [dossier.v1], to: [provincial]}\n", ""))
            with pytest.raises(ConfigError, match=r"destinations\.provincial is gone .* 1 dispatches to it are still"):
                await app.reload(BY)
            assert "provincial" in app.deployment.destinations
            await app.ledger.set_gate("provincial", "open", "a test")
            await until(lambda: states(app.deployment) == ["delivered"] * 2)
            done = await app.reload(BY)
            assert "removed destination provincial" in done.changes
            assert list(app.serving.portals) == ["national"]
            Grows.shown = ["H59-2"]
            await until(lambda: states(app.deployment) == ["delivered"] * 3)

    asyncio.run(main())


def test_sources_come_and_go_and_keep_their_place(file: Path) -> None:
    async def main() -> None:
        async with hub(file) as app:
            Grows.shown = ["H59-1"]
            await until(lambda: Counts.took == ["H59-1"])
            edit(file, ("  so-tttt:\n", "  so-moi:\n"))
            done = await app.reload(BY)
            assert {"new source so-moi", "removed source so-tttt"} <= {*done.changes}
            assert rows(app, "SELECT name, owner IS NULL FROM source ORDER BY name")[1] == ("so-tttt", 1)
            edit(file, ("  so-moi:\n", "  so-tttt:\n"))
            assert (await app.reload(BY)).configuration == 1, "the same texts are the same version"
            Grows.shown = ["H59-2"]
            await until(lambda: "H59-2" in Counts.took)
            assert [one.name for one in app.serving.ingests] == ["so-tttt"]

    asyncio.run(main())


def test_a_page_that_is_being_settled_is_waited_for_and_a_ledger_that_takes_none_refuses(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.reloading.PAGE_S", 0.05)

    async def main() -> None:
        async with hub(file) as app:
            edit(file, ("every_s: 0.02", "every_s: 0.03"))
            async with app.serving.ingests[0].page:
                with pytest.raises(OperationRefused, match="no page could be settled"):
                    await app.reload(BY)
            assert app.rules.configuration == 1
            assert (await app.reload(BY)).configuration == 2

    asyncio.run(main())


def test_a_command_is_answered_over_the_socket_with_every_problem(file: Path) -> None:
    async def main() -> None:
        async with hub(file) as app:
            url = app.deployment.ledger.url
            edit(file, ("deadline_s: 20", "deadline_s: 10"))
            while (answered := await ask(url, Reload(who="lan", file=str(file)))) is None:  # noqa: ASYNC110 - it does not listen yet
                await asyncio.sleep(0.01)
            assert (answered["before"], answered["configuration"]) == (1, 2)
            with pytest.raises(OperationRefused, match="reload that one"):
                await ask(url, Reload(who="lan", file=str(file.with_name("other.yaml"))))
            edit(file, ("deadline_s: 10", "deadline_s: never"))
            with pytest.raises(ConfigError) as refused:
                await ask(url, Reload(who="lan", file=str(file)))
            [problem] = refused.value.problems
            assert (problem.file, problem.rule) == (str(file), "wrong-value")
            with open_reader(url) as reader:
                assert [(one.configuration, one.refused) for one in reader.running()] == [(2, "")]

    asyncio.run(main())


def test_a_hang_up_reloads_and_what_cannot_be_run_is_logged(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        app, stop = App(load(file)), asyncio.Event()
        app.hang_up = asyncio.Event()
        await app.open()
        serving = asyncio.create_task(app.serve(stop))
        edit(file, ("deadline_s: 20", "deadline_s: 10"))
        app.hang_up.set()
        await until(lambda: app.rules.configuration == 2)
        await until(lambda: [one.deadline_s for one in app.serving.delivers] == [10])
        edit(file, ("deadline_s: 10", "deadline_s: never"))
        app.hang_up.set()
        await until(lambda: "goes on with configuration #2" in caplog.text)
        assert "[wrong-value]" in caplog.text
        stop.set()
        await asyncio.wait_for(serving, 20)
        await app.close()

    asyncio.run(main())
