"""The twin of an old system whose only interface is an export: CSV files dropped into a folder at each tick.

At tick n it writes `<folder>/<slug>/hoso-<n>.csv` and `buoc-<n>.csv` (UTF-8 with BOM, `;`, CRLF), each under a
temporary name that it then gives up, so that a file is complete when it is seen. A row of its data is `{"hoso": {…}}`
or `{"buoc": {…}}`. A repeated page is the same file again, `hoso-<n>-lai.csv`. Options: `folder` (needed). Fault
modes of the next files: garbage, shape (renamed columns), partial (written where it is seen, half at the tick and the
rest `rest_after_s` later), empty. Scopes: `<slug>`.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from adapters.sandbox.faults import Fault, Faults
from adapters.sandbox.ticks import ALWAYS, Shape, Ticks
from adapters.sandbox.twin import TwinOptions, twin_app

COLUMNS = {
    "hoso": [
        "SO_HO_SO",
        "MA_TTHC",
        "TEN_TTHC",
        "MA_LINH_VUC",
        "LINH_VUC",
        "MA_DON_VI",
        "LOAI_DOI_TUONG",
        "HO_TEN",
        "SO_GIAY_TO",
        "DIA_CHI",
        "DIEN_THOAI",
        "EMAIL",
        "TRICH_YEU",
        "KENH",
        "MUC_DO",
        "TRANG_THAI",
        "NGAY_TIEP_NHAN",
        "NGAY_HEN_TRA",
        "NGAY_KET_THUC",
        "NGAY_TRA",
        "GHI_CHU",
        "NGAY_CAP_NHAT",
    ],
    "buoc": ["SO_HO_SO", "THOI_DIEM", "NGUOI_XU_LY", "CHUC_DANH", "PHONG_BAN", "NOI_DUNG", "TRANG_THAI"],
}


class Exporter:
    """The agencies that export into one folder."""

    def __init__(self, options: TwinOptions) -> None:
        folder = options.options.get("folder")
        if not isinstance(folder, str) or not folder:
            raise ValueError('needs --options \'{"folder": "…"}\', where the files are dropped')
        self.folder = Path(folder)
        self.ticks = Ticks(options, Shape("csv", "SO_HO_SO", lambda _: ALWAYS, str))
        self.faults = Faults("garbage", "shape", "partial", "empty")
        self.numbers: dict[str, set[str]] = {slug: set() for slug in self.ticks.agencies}
        self.dropped: dict[str, list[Path]] = {slug: [] for slug in self.ticks.agencies}
        self.writing: set[asyncio.Task[None]] = set()
        for slug in self.ticks.agencies:
            (self.folder / slug).mkdir(parents=True, exist_ok=True)

    async def tick(self, tick: int) -> None:
        """Write the files of a tick; returns when they are there."""
        for at, slug, rows, repeat in self.ticks.advance(tick):
            self.dropped[slug] = []
            for kind in ("hoso", "buoc"):
                held = [row[kind] for row in rows if kind in row]
                self.numbers[slug].update(number for row in held if (number := row.get("SO_HO_SO")))
                if not held:
                    continue
                self._drop(slug, f"{kind}-{at:04}.csv", content(kind, held))
                if repeat and kind == "hoso":
                    self._drop(slug, f"{kind}-{at:04}-lai.csv", content(kind, held))

    def _drop(self, slug: str, name: str, data: bytes) -> None:
        path = self.folder / slug / name
        self.dropped[slug].append(path)
        fault = self.faults.take(slug)
        match fault.mode if fault is not None else "":
            case "partial" if fault is not None:
                self._drop_in_halves(path, data, fault)
                return
            case "garbage":
                data = bytes(range(256)) * 4
            case "shape":
                data = data.replace(b"SO_HO_SO", b"MA_HO_SO", 1)
            case "empty":
                data = b""
        temporary = path.with_name(f".{name}.tmp")
        temporary.write_bytes(data)
        os.replace(temporary, path)

    def _drop_in_halves(self, path: Path, data: bytes, fault: Fault) -> None:
        path.write_bytes(data[: len(data) // 2])

        async def rest() -> None:
            await asyncio.sleep(float(fault.settings.get("rest_after_s", 0.5)))
            with path.open("ab") as file:
                file.write(data[len(data) // 2 :])

        task = asyncio.get_running_loop().create_task(rest())
        self.writing.add(task)
        task.add_done_callback(self.writing.discard)

    def state(self) -> dict[str, Any]:
        """Polled to the end: no file of the last tick is left in the folder."""
        return {
            "tick": self.ticks.now,
            "agencies": {
                slug: {
                    "polled_to_end": self.ticks.now > 0 and not any(path.exists() for path in paths),
                    "rows": len(self.numbers[slug]),
                }
                for slug, paths in self.dropped.items()
            },
        }


def content(kind: str, rows: list[Mapping[str, Any]]) -> bytes:
    """The file: BOM, header, one line per row; a column that a row does not have is empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text, COLUMNS[kind], restval="", extrasaction="ignore", delimiter=";", lineterminator="\r\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def create(options: TwinOptions) -> Starlette:
    """Raises: ValueError for a data file or a folder that cannot be used."""
    exporter = Exporter(options)
    return twin_app([], faults=exporter.faults, state=exporter.state, tick=exporter.tick)
