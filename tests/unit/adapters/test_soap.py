from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from adapters.paging import Answer
from adapters.soap import SoapSource
from adapters.soap_settings import SoapRows, SoapSettings, row_reader
from hub.ports import AdapterContext
from schemas.errors import SourceFault

SOURCES = 6


def source(n: int, address: str) -> SoapSource:
    settings = SoapSettings.model_validate(
        {"wsdl": f"{address}/MotCua.asmx?wsdl", "operation": "Lay", "rows": {"each": "HoSo"}, "load_timeout_s": 1.0}
    )
    return SoapSource(settings, AdapterContext(f"so-{n}", Path()))


async def first(one: SoapSource) -> None:
    async for _ in one.arrivals({}):
        raise AssertionError("nobody answers")


def test_sources_that_hang_while_they_load_take_no_thread_from_others() -> None:
    async def main() -> None:
        connected = asyncio.Semaphore(0)
        silence = asyncio.Event()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connected.release()
            await silence.wait()
            writer.close()

        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(SOURCES))
        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        sources = [source(n, f"http://127.0.0.1:{port}") for n in range(SOURCES)]
        loading = [asyncio.create_task(first(one)) for one in sources]
        for _ in sources:
            await asyncio.wait_for(connected.acquire(), 60)
        # All hang now; what the rest of the hub does in threads goes on meanwhile.
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 90) == "done"
        assert not any(task.done() for task in loading)
        silence.set()
        ended = await asyncio.gather(*loading, return_exceptions=True)
        assert [type(one) for one in ended] == [SourceFault] * SOURCES
        for one in sources:
            await one.close()
        server.close()
        await server.wait_closed()

    asyncio.run(main())


def test_a_page_that_is_a_dataset_is_paged_by_the_rows_of_its_table() -> None:
    rows = SoapRows(dataset="HoSo", changed="Sua", changed_format="iso")
    body = (
        '<a><d:diffgram xmlns:d="urn:schemas-microsoft-com:xml-diffgram-v1"><DS><HoSo d:id="HoSo1"><So>1</So>'
        "<Sua>2017-03-20T08:05:00+07:00</Sua></HoSo><HoSo><So>2</So></HoSo><Khac/></DS><d:before/></d:diffgram></a>"
    )
    facts = row_reader(rows, 10_000)(Answer(body.encode()))
    assert facts.rows == 2
    assert [at.isoformat() for at in facts.changed] == ["2017-03-20T01:05:00+00:00"]
