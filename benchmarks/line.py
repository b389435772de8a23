"""The hub itself on the bench: `configure` writes its configuration, this module as a program runs it until all is out.

    python -m benchmarks.line HUB_YAML

prints one JSON line at its end: what of its processor time went to the run, without the interpreter's start.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.dossiers import AGENCIES, PAGE

BATCH = 100
"""Dossiers of a request to a portal, for the hub and for the floor."""
PARALLEL = 4
"""Requests to one portal at a time."""
DSTCODE, MADONVI = "VN:GOV:000.00.00.G22:vpcpdvcprovider", "H59"


def configure(folder: Path, twins: Mapping[str, str], ledger: str, bus: str, prefix: str = "hub") -> Path:
    """Write `hub.yaml` for one SOAP source and two portals that take batches; everything else as it is by default."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agencies.yaml").write_text(yaml.safe_dump(AGENCIES, allow_unicode=True))
    rows = {
        "unwrap": [{"path": "//*[local-name()='LayDanhSachHoSoResult']", "holds": "xml"}],
        "within": "/DanhSachHoSo",
        "each": "HoSo",
        "changed": "NgayCapNhat",
        "changed_format": "dd/MM/yyyy HH:mm:ss",
        "pages": "/DanhSachHoSo/@tongTrang",
    }
    source = {
        "adapter": "soap",
        "every_s": 60,
        "mappings": ["one-stop-soap/dossier"],
        "settings": {
            "wsdl": f"{twins['source']}/MotCua.asmx?wsdl",
            "operation": "LayDanhSachHoSo",
            "since": {"argument": "tuNgay", "format": "dd/MM/yyyy HH:mm:ss", "overlap_s": 1},
            "page": {"argument": "trang", "size_argument": "kichThuoc", "size": PAGE},
            "rows": rows,
        },
    }
    config: dict[str, Any] = {
        "hub": {"name": "bench", "province": "H59"},
        "ledger": {"url": ledger},
        "bus": {"url": bus, "prefix": prefix},
        "agencies": "agencies.yaml",
        "sources": {"mot-cua": source},
        "destinations": {name: _portal(twins[name]) for name in ("national", "provincial")},
        "routes": [{"kinds": ["dossier.v1"], "to": ["national", "provincial"]}],
    }
    path = folder / "hub.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True, sort_keys=False))
    return path


def _portal(url: str) -> dict[str, Any]:
    settings = {"url": url, "username": "bench", "password": "khong-mat", "dstcode": DSTCODE, "madonvi": MADONVI}
    return {
        "adapter": "dvcqg",
        "mappings": {"dossier.v1": "dvcqg/dossier"},
        "settings": {**settings, "batch": BATCH},
        "parallel": PARALLEL,
    }


async def run(config: Path, on_ready: Callable[[], None] = lambda: None) -> dict[str, float]:
    """Run the hub of a configuration until everything is polled and delivered. Raises: ConfigError."""
    from hub import app
    from hub.check import check

    findings = await check(config, {}, offline=True)
    deployment = findings.must_run()
    began: list[float] = []

    def ready() -> None:
        app.have_the_process()  # as `hub run` does
        began.append(time.process_time())
        on_ready()

    await app.run(deployment, once=True, on_ready=ready)
    return spent(began[0])


def spent(since_s: float) -> dict[str, float]:
    """What a program tells at its end: processor seconds since `since_s` of its own, and its largest memory in MB."""
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_s": time.process_time() - since_s, "peak_rss_mb": peak_mb}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(Path(sys.argv[1])))))
