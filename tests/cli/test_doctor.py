"""`hub doctor`: what it finds, that nothing holds it up, and that its bundle gives nobody away."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
import ssl
import subprocess
import tarfile
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from adapters.sandbox.tra_vinh import generate
from hub.bus.private_node import PrivateNode
from hub.catch_up import catch_up, quiet_ledger
from hub.doctor.examine import examine
from hub.doctor.finding import Finding, Level
from hub.doctor.network import Endpoint, endpoints, look
from hub.ledger.audit import By, note
from hub.ledger.bulk import Tx
from hub.ledger.engine import open_engine
from hub.rulebook import rulebook
from hub.settings import load

NAMES = ("SoHoSo", "NguoiNop", "SoGiayTo", "DiaChi", "DienThoai", "Email", "NguoiXuLy", "so_ho_so", "nguoi_nop",
         "so_giay_to", "dia_chi", "dien_thoai", "email", "nguoi_xu_ly", "SO_HO_SO", "HO_TEN", "SO_GIAY_TO", "DIA_CHI",
         "DIEN_THOAI", "EMAIL", "NGUOI_XU_LY")  # fmt: skip
SECRET = "m-t-khau-1"
OPERATOR = "Lê Thị Quản Trị"


def write_config(folder: Path, ledger: str, bus: str = "embedded:") -> Path:
    source = {"adapter": "files", "mappings": ["one-stop-csv/dossier"],
              "settings": {"folder": "drop", "pattern": "hoso-*.csv", "media": "csv", "settle_s": 0}}  # fmt: skip
    settings = {"url": "http://127.0.0.1:9", "username": "u", "password": SECRET, "dstcode": "d", "madonvi": "m"}
    portal = {"adapter": "dvcqg", "settings": settings, "mappings": {"dossier.v1": "dvcqg/dossier"}}
    written = {"hub": {"name": "h", "province": "H59"}, "ledger": {"url": ledger}, "bus": {"url": bus, "prefix": "dr"},
               "agencies": "agencies.yaml",
               "sources": {"s": source}, "destinations": {"national": portal},
               "routes": [{"kinds": ["dossier.v1"], "to": ["national"]}]}  # fmt: skip
    (folder / "drop").mkdir(exist_ok=True)
    shutil.copy("config/demo/agencies.yaml", folder)
    file = folder / "hub.yaml"
    file.write_text(yaml.safe_dump(written), encoding="utf-8")
    return file


def personal(value: Any, key: str = "") -> Iterator[str]:
    """Every personal value of the demo, and every number of a dossier."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from personal(below, name)
    elif isinstance(value, list):
        for below in value:
            yield from personal(below, key)
    elif key in NAMES and isinstance(value, str) and len(value) > 5:
        yield value


async def fill(file: Path, rows: list[dict[str, str]], planted: str) -> None:
    """Read the demo's rows into a ledger; plant a name and a number wherever somebody else's words may stand."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=";", lineterminator="\n")
    writer.writeheader()
    broken = rows[0] | {"SO_HO_SO": rows[0]["SO_HO_SO"] + "9", "TRANG_THAI": planted}
    writer.writerows([*rows, broken])
    (file.parent / "drop" / "hoso-1.csv").write_text(text.getvalue(), encoding="utf-8")
    deployment = load(file)
    async with quiet_ledger(deployment) as ledger:
        assert await catch_up(deployment, ledger, rulebook(deployment), lambda: False) == {}

        def plant(tx: Tx) -> None:
            note(tx, By(OPERATOR, planted), "pause", "national")
            note(tx, By(OPERATOR, planted), "correct", rows[0]["SO_HO_SO"])
            for statement in (
                "INSERT INTO fault (dispatch_id, at_us, fault, code, text, value) VALUES (1, 1, 'data', :p, :p, :p)",
                "INSERT INTO answer_code VALUES ('national', 'send', 200, :p, :p, 1, 1, 1)",
                "UPDATE gate SET state = 'held', reason = :p",
                "INSERT INTO gate_change (destination, at_us, state, reason) VALUES ('national', 1, 'held', :p)",
                "UPDATE source SET failures = 2, problem = :p",
                "INSERT INTO alert (subject, trouble, opened_us, text) VALUES ('national', 'held', 1, :p)",
            ):
                tx.execute(sa.text(statement), {"p": planted})

        await ledger.commit(plant)


def unpacked(file: Path) -> str:
    if file.suffix == ".zip":
        with zipfile.ZipFile(file) as archive:
            return "\n".join(archive.read(name).decode() for name in archive.namelist())
    with tarfile.open(file) as tar:
        read = [tar.extractfile(name) for name in tar.getnames()]
        return "\n".join(one.read().decode() for one in read if one is not None)


@pytest.mark.parametrize("name", ["bundle.tar.gz", "bundle.zip"])
def test_a_bundle_holds_no_personal_value_of_the_demo_and_no_number_of_a_dossier(
    hub: Any, tmp_path: Path, name: str
) -> None:
    data = json.loads(generate(tmp_path)[0].read_text(encoding="utf-8"))
    values = {unicodedata.normalize("NFC", one) for one in personal(data)}
    assert len(values) > 4000
    rows = [row["hoso"] for tick in data["agencies"]["cau-ngang"]["ticks"] for row in tick if "hoso" in row]
    file = write_config(tmp_path, f"sqlite:///{tmp_path / 'hub.db'}")
    planted = f"{rows[0]['HO_TEN']} {rows[0]['SO_HO_SO']}"
    asyncio.run(fill(file, rows, planted))
    ran = hub("doctor", str(file), "--bundle", str(tmp_path / name), "--json")
    assert ran.status == 1, "the gate is held, the portal is away"
    assert ran.json["bundle"]["holds"] == ["configuration.json", "doctor.json", "ledger.json", "machine.json"]
    text = unicodedata.normalize("NFC", unpacked(tmp_path / name))
    assert [value for value in values if value in text] == []
    assert OPERATOR not in text
    assert SECRET not in text
    assert "H59-17" not in text
    for kept in ("person 1", '"dossier.v1"', "dvcqg/dossier", "TRANG_THAI", "sqlalchemy", '"held"'):
        assert kept.lower() in text.lower(), kept
    again = hub("doctor", str(file), "--bundle", str(tmp_path / name))
    assert "is there already" in again.err


def test_a_bundle_shows_neither_the_address_of_a_webhook_nor_what_opens_it(hub: Any, tmp_path: Path) -> None:
    file = write_config(tmp_path, f"sqlite:///{tmp_path / 'hub.db'}")
    webhook = {
        "name": "phong", "url": "https://u:geheim1@chat.example.vn/hooks/geheim2?k=geheim3", "bearer": "geheim4",
        "secret": "geheim5",
    }  # fmt: skip
    mail = {"host": "mail.example.vn", "sender": "hub@geheim6.vn", "username": "geheim7", "password": "geheim8"}
    told = {"alerts": {"webhooks": [webhook]}, "mail": mail}
    with file.open("a", encoding="utf-8") as opened:
        opened.writelines(f"{part}: {json.dumps(value)}\n" for part, value in told.items())
    hub("doctor", str(file), "--bundle", str(tmp_path / "bundle.zip"))
    text = unpacked(tmp_path / "bundle.zip")
    assert "geheim" not in text
    assert "https://chat.example.vn" in text


def levels(report: Any) -> dict[tuple[str, str], Level]:
    return {(one.check, one.subject): one.level for one in report.findings}


def test_a_hub_that_is_stopped_and_one_that_runs(tmp_path: Path) -> None:
    async def main() -> None:
        file = write_config(tmp_path, f"sqlite:///{tmp_path / 'hub.db'}")
        found = levels(await examine(file, {}, timeout_s=5))
        assert found["database", str(tmp_path / "hub.db")] is Level.WARNING
        assert found["server", "http://127.0.0.1:9"] is Level.PROBLEM
        async with quiet_ledger(load(file)) as ledger:
            # So far it is any command that has opened the ledger; a hub beats on.
            assert levels(await examine(file, {}, timeout_s=5))["worker", "hub"] is Level.WARNING
            await ledger.beat()
            report = await examine(file, {}, timeout_s=5)
            found = levels(report)
            assert found["worker", "hub"] is Level.OK
            assert found["database", "SQLite"] is found["disk", "ledger"] is Level.OK
            assert found["source", "s"] is Level.WARNING
            assert found["destination", "national"] is Level.OK
            assert not report.ok
        engine = open_engine(f"sqlite:///{tmp_path / 'hub.db'}", writer=True)
        with engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO meta VALUES ('looks restored', 'it is older')"))
            connection.execute(sa.text("UPDATE worker SET beat_us = 1"))
        engine.dispose()
        report = await examine(file, {}, timeout_s=5)
        assert levels(report)["ledger", "restored"] is Level.PROBLEM
        assert levels(report)["worker", "hub"] is Level.WARNING

    asyncio.run(main())


def test_postgresql_and_rabbitmq_are_looked_at(tmp_path: Path, postgres_url: str, rabbitmq: PrivateNode) -> None:
    async def main() -> None:
        file = write_config(tmp_path, postgres_url, rabbitmq.amqp_url)
        async with quiet_ledger(load(file)):
            report = await examine(file, {}, timeout_s=20)
        found = levels(report)
        assert found["clock", "database"] is Level.OK
        assert found["database", "PostgreSQL"] is Level.OK
        assert found["broker", "queues"] is Level.OK
        (broker,) = [one for one in report.findings if one.said.startswith("RabbitMQ ")]
        assert broker.level is Level.OK

    asyncio.run(main())


def test_what_never_answers_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        file = write_config(tmp_path, f"sqlite:///{tmp_path / 'hub.db'}")
        file.write_text(file.read_text(encoding="utf-8").replace(":9\n", f":{port}\n"), encoding="utf-8")
        report = await examine(file, {}, timeout_s=0.3)
        (said,) = [one for one in report.findings if one.check == "server"]
        assert (said.level, said.said) == (Level.PROBLEM, "no answer within 0.3 s")
        server.close()
        await server.wait_closed()

    asyncio.run(main())


def test_a_configuration_that_is_wrong_is_a_finding(hub: Any, tmp_path: Path) -> None:
    ran = hub("doctor", str(tmp_path / "none.yaml"))
    assert ran.status == 1
    assert "configuration" in ran.out
    assert "1 problem, 0 warnings" in ran.out


# --- certificates -----------------------------------------------------------------------------------------------------


def certificate(folder: Path, host: str, days: int) -> Path:
    """A certificate that signs itself, with its key beside it."""
    file = folder / f"{host}.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", f"{file}.key", "-out", str(file), "-days", str(days), "-subj", f"/CN={host}",
               "-addext", f"subjectAltName=DNS:{host}"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return file


@pytest.mark.parametrize(
    ("host", "days", "level", "said"),
    [
        ("localhost", 400, Level.OK, "good for 399 days"),
        ("localhost", 20, Level.WARNING, "good for 19 days"),
        ("localhost", 3, Level.PROBLEM, "good for 2 days"),
        ("elsewhere.example", 400, Level.PROBLEM, "Hostname mismatch"),
    ],
)
def test_certificates_tell_how_long_they_are_good(
    tmp_path: Path, host: str, days: int, level: Level, said: str
) -> None:
    async def main() -> list[Finding]:
        file = certificate(tmp_path, host, days)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file, f"{file}.key")

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nDate: Wed, 01 Mar 2017 08:00:00 GMT\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        try:
            port = server.sockets[0].getsockname()[1]
            return await look(Endpoint("https", "localhost", port, file))
        finally:
            server.close()
            await server.wait_closed()

    first, *rest = asyncio.run(main())
    assert (first.check, first.level) == ("certificate", level)
    assert said in first.said
    if host == "localhost":
        assert [(one.check, one.level) for one in rest] == [("clock", Level.WARNING)], "its clock stands in 2017"


def test_every_server_is_looked_at_once(tmp_path: Path) -> None:
    deployment = load(write_config(tmp_path, "sqlite:///x.db", "amqps://u:p@broker/v"))
    other = {"wsdl": "https://cu.example/x?wsdl", "auth": {"url": "https://cu.example:8443/"}, "page": [{"size": 1}]}
    source = deployment.sources["s"].model_copy(update={"settings": other})
    found = endpoints(replace(deployment, sources={"s": source, "t": source}))
    assert [str(one) for one in found] == [
        "https://cu.example:443", "https://cu.example:8443", "http://127.0.0.1:9", "amqps://broker:5671",
    ]  # fmt: skip


def test_a_bundle_has_a_name_that_says_what_it_is(hub: Any, tmp_path: Path) -> None:
    file = write_config(tmp_path, f"sqlite:///{tmp_path / 'hub.db'}")
    ran = hub("doctor", str(file), "--bundle", str(tmp_path / "support.txt"))
    assert (ran.status, "ends with .tar.gz or .zip" in ran.err) == (2, True)
    assert not (tmp_path / "support.txt").exists()


def test_a_bundle_that_cannot_be_written_is_no_fault_of_the_ledger(hub: Any, tmp_path: Path) -> None:
    file = write_config(tmp_path, f"sqlite:///{tmp_path / 'hub.db'}")
    place = tmp_path / "nowhere" / "bundle.zip"
    ran = hub("doctor", str(file), "--bundle", str(place), "--json")
    assert ran.status == 1
    assert f"error: {place}: cannot be written: No such file or directory [unwritable-file]" in ran.err
