"""The schema: made by migrations alone, the same on every road; the hot queries use the partial indexes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from hub.ledger import migrations
from hub.ledger.engine import migrate, open_engine
from hub.ledger.read import open_reader
from hub.ledger.states import FOLLOWS, PHASE, DispatchState, step
from hub.ledger.tables import metadata
from hub.ledger.views import DeadFilter
from schemas.errors import IllegalTransition, LedgerFault
from tests.contract.ledger.bench import TRIGGERS, Bench, dossier, sqlite_url
from tests.contract.ledger.bench import step as step_of
from tests.support.private_postgres import PrivatePostgres


def sqlite_shape(engine: sa.Engine) -> dict[str, Any]:
    """Every statement that the schema is made of, blanks and Alembic's own table aside."""
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    return {name: " ".join(sql.split()) for name, sql in rows if not name.startswith("alembic")}


def postgres_shape(engine: sa.Engine) -> dict[str, Any]:
    """Columns with types, defaults and nullability; indexes; storage options; comments."""
    questions = {
        "columns": "SELECT table_name, column_name, data_type, is_nullable, column_default FROM "
        "information_schema.columns WHERE table_schema = 'public'",
        "indexes": "SELECT tablename, indexdef, '', '', '' FROM pg_indexes WHERE schemaname = 'public'",
        "tables": "SELECT relname, reloptions::text, obj_description(oid), '', '' FROM pg_class WHERE relkind = 'r' "
        "AND relnamespace = 'public'::regnamespace",
    }
    shape = {}
    with engine.connect() as connection:
        for name, question in questions.items():
            rows = connection.exec_driver_sql(question).all()
            shape[name] = sorted(tuple(map(str, row)) for row in rows if not row[0].startswith("alembic"))
    return shape


def test_migrations_make_what_the_metadata_says_on_sqlite(tmp_path: Path) -> None:
    shapes = []
    for name in ("migrated", "created"):
        engine = open_engine(sqlite_url(tmp_path / f"{name}.db"), writer=True)
        migrate(engine) if name == "migrated" else metadata.create_all(engine)
        shapes.append(sqlite_shape(engine))
        engine.dispose()
    assert shapes[0] == shapes[1]
    assert "dispatch_out" in shapes[0]


def test_migrations_make_what_the_metadata_says_on_postgresql(postgres: PrivatePostgres) -> None:
    shapes = []
    for migrated in (True, False):
        name = postgres.database()
        engine = open_engine(postgres.url(name), writer=True)
        migrate(engine) if migrated else metadata.create_all(engine)
        shapes.append(postgres_shape(engine))
        engine.dispose()
        postgres.drop(name)
    assert shapes[0] == shapes[1]
    assert any("fillfactor=50" in "".join(row) for row in shapes[0]["tables"])


def test_ids_that_the_ledger_allocates_have_a_sequence(on_postgres: Bench) -> None:
    for table in ("arrival", "head", "dispatch"):
        (row,) = on_postgres.rows(f"SELECT pg_get_serial_sequence('{table}', 'id') AS sequence")
        assert row["sequence"] == f"public.{table}_id_seq"


def test_an_upgrade_again_changes_nothing(bench: Bench) -> None:
    bench.settle(dossier())
    engine = open_engine(bench.url, writer=True)
    migrate(engine)
    migrations.upgrade(engine)
    engine.dispose()
    assert bench.states() == ["queued"]
    assert bench.rows("SELECT version_num FROM alembic_version") == [{"version_num": migrations.HEAD}]


def test_the_head_that_is_looked_for_is_that_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_a_newer_schema_is_refused_with_the_mend(bench: Bench) -> None:
    bench.run(bench.ledger.close())
    bench.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerFault, match=r"written by a newer hub .*run that version or restore a backup"):
        bench.start()
    bench.execute("UPDATE alembic_version SET version_num = :head", head=migrations.HEAD)
    bench.ledger = bench.start()


def test_a_database_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    engine = open_engine("postgresql://nobody@127.0.0.1:1/none", writer=True)
    with pytest.raises(LedgerFault, match="cannot be opened") as caught:
        migrate(engine)
    engine.dispose()
    assert caught.value.down


# --- states


def test_states_the_table_knows_every_state_and_refuses_every_other_step() -> None:
    assert set(FOLLOWS) == set(DispatchState)
    for before in DispatchState:
        for after in DispatchState:
            if after in FOLLOWS[before]:
                assert step(before, after) is after
            else:
                with pytest.raises(IllegalTransition, match=f"from {before} to {after}"):
                    step(before, after)


@pytest.mark.parametrize("before", DispatchState)
@pytest.mark.parametrize("after", DispatchState)
def test_states_the_suites_trigger_refuses_what_the_table_does_not_have(
    on_sqlite: Bench, before: DispatchState, after: DispatchState
) -> None:
    """Every test of this folder runs under it: the ledger's own updates are legal steps, all of them."""
    bench = on_sqlite
    bench.settle(dossier())
    bench.execute("DROP TRIGGER legal_step")
    bench.execute("UPDATE dispatch SET state = :s, phase = :p", s=before.value, p=int(PHASE[before]))
    bench.execute(TRIGGERS["sqlite"][0])
    change = f"UPDATE dispatch SET state = :s, phase = {int(PHASE[after])}"
    if after in FOLLOWS[before]:
        bench.execute(change, s=after.value)
    else:
        with pytest.raises(sa.exc.IntegrityError, match="illegal step"):
            bench.execute(change, s=after.value)
    bench.execute("DELETE FROM dispatch")


def test_a_state_and_its_phase_cannot_part(bench: Bench) -> None:
    bench.settle(dossier())
    with pytest.raises(sa.exc.IntegrityError, match="dispatch_phase"):
        bench.execute("UPDATE dispatch SET phase = 2")


# --- the hot queries


@pytest.fixture
def plans() -> Iterator[list[tuple[str, str]]]:
    """How SQLite answers each statement that touches `dispatch`: (statement, its plan)."""
    seen: list[tuple[str, str]] = []

    def explain(connection: sa.Connection, _: Any, statement: str, values: Any, __: Any, many: bool) -> None:
        if (
            connection.dialect.name != "sqlite"
            or "dispatch" not in statement
            or statement.startswith(("INSERT", "EXPLAIN"))
        ):
            return
        cursor = connection.connection.cursor()
        rows = cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values[0] if many else values).fetchall()
        seen.append((statement, "; ".join(row[3] for row in rows)))
        cursor.close()

    sa.event.listen(sa.Engine, "before_cursor_execute", explain)
    yield seen
    sa.event.remove(sa.Engine, "before_cursor_execute", explain)


def test_the_hot_queries_use_the_partial_indexes(on_sqlite: Bench, plans: list[tuple[str, str]]) -> None:
    bench = on_sqlite
    bench.rule(window=3, can_look_up=True)
    tickets = bench.settle(*(dossier(f"H59-{i}") for i in range(5))).tickets
    bench.settle(dossier("H59-0", at=1, content="B"), step_of("H59-1", at=1))
    call = bench.claim(tickets)
    bench.finish(call, only=call.ids[:1])
    bench.finish(call, "dead", only=call.ids[1:2])
    bench.finish(call, "unknown", only=call.ids[2:])
    bench.resolve({"H59-2": True})
    bench.run(bench.ledger.sweep("n"))
    bench.clock.tick(61)
    again = bench.due()
    bench.finish(bench.claim(again[:1]), "waiting", down="refused")
    bench.clock.tick(2)
    bench.probe()
    bench.replay(2)
    bench.run(bench.ledger.movable())
    bench.run(bench.ledger.abandon("n"))
    with open_reader(bench.url) as reader:
        reader.dead(DeadFilter(destination="n"))
        reader.trace("H59-1")
    assert len(plans) > 30
    whole = [(statement, plan) for statement, plan in plans if re.search(r"SCAN (dispatch|t|d)\b(?! USING)", plan)]
    assert whole == [], "no statement may read the whole table"
    used = Counter(name for _, plan in plans for name in set(re.findall(r"USING (?:COVERING )?INDEX (\w+)", plan)))
    assert {"dispatch_out", "dispatch_waiting", "dispatch_due", "dispatch_dead"} <= used.keys()


@pytest.mark.parametrize(
    ("index", "fragment"),
    [
        ("dispatch_out", "count(*) AS count_1"),
        ("dispatch_due", "due_us <= ? ORDER BY dispatch.due_us"),
        ("dispatch_out", "dispatch.queued_until_us < ?"),
        ("dispatch_waiting", "HAVING count(dispatch.due_us)"),
        ("dispatch_waiting", "ORDER BY 1, 2"),
        ("dispatch_dead", "min(dispatch.id) AS id"),
        ("dispatch_dead", "SET dead = (SELECT count(*)"),
    ],
)
def test_each_hot_query_uses_the_index_that_was_made_for_it(
    on_sqlite: Bench, plans: list[tuple[str, str]], index: str, fragment: str
) -> None:
    on_sqlite.finish(on_sqlite.claim(on_sqlite.settle(dossier()).tickets), "dead")
    on_sqlite.settle(dossier(at=1, content="B"))
    on_sqlite.due()
    on_sqlite.run(on_sqlite.ledger.sweep("n"))
    found = [plan for statement, plan in plans if fragment in " ".join(statement.split())]
    assert found, "the query is still made"
    assert all(index in plan for plan in found), found
