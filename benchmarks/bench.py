"""`make bench`: the hub beside its floor, in turn, on either bus and ledger; writes build/bench.json, prints a table.

    python -m benchmarks.bench [--dossiers 20000] [--pairs 3] [--only embedded|rabbitmq] [--json] [--memory]
    python -m benchmarks.bench --mapping

A pair is one run of the floor and one of the hub, each with twins, database and queues of its own, right after each
other; what is printed are medians of the pairs. It measures and judges nothing but itself: a measurement that cannot be
believed is void, which is said, and the exit status is 1 (see `benchmarks.believed`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import ledger, twelve
from benchmarks.believed import Pair, Run, Service, doubts, report, table
from benchmarks.dossiers import Pages, write_pages
from benchmarks.floor import Job
from benchmarks.line import configure
from benchmarks.twins import Twins

ROOT = Path(__file__).resolve().parents[1]
LOOK_S = 0.05
LIMIT_S = 1800.0
FSYNC_S = 1.0


@dataclass(slots=True)
class Stage:
    """Where runs happen: a bus, a ledger, and a folder; every run gets names of its own."""

    service: Service
    folder: Path
    pages: Pages
    broker: str = "embedded:"
    cluster: Any = None
    runs: int = 0

    def fresh(self) -> tuple[Path, str, str]:
        """Folder, ledger and prefix of the next run."""
        self.runs += 1
        folder = self.folder / f"run-{self.runs}"
        folder.mkdir()
        if self.cluster is None:
            return folder, f"sqlite:///{folder / 'bench.db'}", f"bench{self.runs}"
        return folder, self.cluster.url(self.cluster.database()), f"bench{self.runs}"

    def floor(self, *, stages: bool = False) -> Run:
        folder, url, prefix = self.fresh()
        with Twins(self.pages, folder) as twins:
            job = Job(twins.urls, url, self.broker, prefix, self.pages.dossiers).save(folder / "job.json")
            command = ["benchmarks.floor", *(["--stages"] if stages else []), str(job)]
            return observed(command, twins, "floor, stage by stage" if stages else "floor")

    def hub(self, *, stages: bool = False) -> Run:
        folder, url, prefix = self.fresh()
        with Twins(self.pages, folder) as twins:
            config = configure(folder / "hub", twins.urls, url, self.broker, prefix)
            module = ["benchmarks.profiling", "--config"] if stages else ["benchmarks.line"]
            return observed([*module, str(config)], twins, "hub, sampled" if stages else "hub")

    def pair(self) -> Pair:
        """The floor, the hub right after it, then the floor's stages one by one."""
        return Pair(floor=self.floor(), hub=self.hub(), stages=self.floor(stages=True))


def observed(command: list[str], twins: Twins, what: str) -> Run:
    """Run a program to its end and watch its memory and the twins. Raises: RuntimeError with what it said."""
    before_s, servers_before_s, quarter_mb, last_mb = twins.cpu_s, servers_cpu_s(twins), 0.0, 0.0
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=said, cwd=ROOT)
        try:
            while process.poll() is None:
                if time.monotonic() - began > LIMIT_S:
                    raise RuntimeError(f"{what}: not done in {LIMIT_S:g} s; {twins.missing()}")
                held_mb, way = _rss_mb(process.pid), twins.delivered() / twins.pages.dossiers
                if (held_mb and way < 1) or not last_mb:
                    last_mb = held_mb
                if not quarter_mb and way >= 0.25:
                    quarter_mb = held_mb
                time.sleep(LOOK_S)
            assert process.stdout is not None
            told = process.stdout.read()
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{what} failed:\n{said.read().decode(errors='replace')}")
    facts: dict[str, Any] = json.loads(told.splitlines()[-1])
    return Run(
        what=what,
        dossiers=twins.pages.dossiers,
        wall_s=twins.wall_s,
        cpu_s=facts["cpu_s"],
        twins_cpu_s=twins.cpu_s - before_s,
        servers_cpu_s=servers_cpu_s(twins) - servers_before_s,
        missing=twins.missing(),
        peak_rss_mb=facts["peak_rss_mb"],
        quarter_rss_mb=quarter_mb,
        end_rss_mb=last_mb,
        stages=facts.get("stages", {}),
    )


def _rss_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = status.partition("VmRSS:")[2].split(maxsplit=1)
    return int(found[0]) / 1024 if found else 0.0


def servers_cpu_s(twins: Twins) -> float:
    """Processor seconds of broker and database so far: of all that descends from this process but the twins."""
    spent: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            facts = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended; then its parent has its time
        pid = int(path.parent.name)
        children.setdefault(int(facts[1]), []).append(pid)
        spent[pid] = sum(int(ticks) for ticks in facts[11:15])
    ticks, families = 0, [child for child in children.get(os.getpid(), ()) if child not in twins.pids]
    while families:
        pid = families.pop()
        ticks += spent[pid]
        families += children.get(pid, ())
    return ticks / os.sysconf("SC_CLK_TCK")


def fsyncs_per_s(folder: Path) -> float:
    """How often this disk makes a small append durable in a second."""
    file = os.open(folder / "fsync", os.O_CREAT | os.O_WRONLY)
    try:
        began, count = time.monotonic(), 0
        while time.monotonic() - began < FSYNC_S:
            os.write(file, bytes(4096))
            os.fdatasync(file)
            count += 1
        return count / (time.monotonic() - began)
    finally:
        os.close(file)


@contextmanager
def stage(service: Service, pages: Pages, folder: Path) -> Iterator[Stage]:
    """Start what a service needs, a node and a cluster of its own; stop it at the end."""
    with ExitStack() as stack:
        made = Stage(service, folder / service.bus, pages)
        made.folder.mkdir()
        if service.bus == "rabbitmq":
            from hub.bus.private_node import PrivateNode
            from tests.support.private_postgres import PrivatePostgres

            node = stack.enter_context(PrivateNode.start(made.folder / "node"))
            made.broker = node.amqp_url
            made.cluster = PrivatePostgres.start()
            stack.callback(made.cluster.stop)
        yield made


SERVICES = (Service("embedded", "sqlite"), Service("rabbitmq", "postgresql"))


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 where a measurement is void."""
    parser = argparse.ArgumentParser(description="The hub beside its floor.", prog="make bench ARGS=…")
    parser.add_argument("--dossiers", type=int, default=None, help="20,000 by default; with --memory 200,000")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--only", choices=[service.bus for service in SERVICES])
    parser.add_argument("--json", action="store_true", help="print what is written to build/bench.json")
    parser.add_argument(
        "--memory", action="store_true", help="the hub alone: memory at a quarter of the way and at the end"
    )
    parser.add_argument("--ledger", action="store_true", help="the ledger alone beside bare SQL, on SQLite")
    parser.add_argument("--mapping", action="store_true", help="mappings alone beside the bare work on the same bytes")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json")
    wanted = parser.parse_args(arguments)
    if wanted.ledger:
        ledger.main(["--dossiers", str(wanted.dossiers or 5000), "--runs", str(wanted.pairs)])
        return 0
    if wanted.mapping:
        print(twelve.lines(twelve.ratios()))
        return 0
    services = [one for one in SERVICES if wanted.only in (None, one.bus)]
    dossiers = wanted.dossiers or (200_000 if wanted.memory else 20_000)
    runs: list[dict[str, Any]] = []
    void: list[str] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as held:
        folder = Path(held)
        pages = write_pages(folder / "pages", dossiers)
        for service in services:
            with stage(service, pages, folder) as here:
                if wanted.memory:
                    alone = here.hub()
                    void += [f"{service.bus}: {alone.what}: {alone.missing}"] * bool(alone.missing)
                    print(
                        f"{service.bus} + {service.ledger}, {dossiers:,} dossiers: {alone.quarter_rss_mb:.0f} MB at a "
                        f"quarter, {alone.end_rss_mb:.0f} MB at the end, {alone.per_s:,.0f} dossiers/s"
                    )
                    continue
                pairs = [here.pair() for _ in range(wanted.pairs)]
                made = report(service, pairs, here.hub(stages=True), fsyncs_per_s(here.folder))
                void += [f"{service.bus}: {doubt}" for doubt in doubts(pairs)]
                runs.append(made)
                if not wanted.json:
                    print(table(made), flush=True)
    if runs:
        ratios = twelve.ratios()
        if not wanted.json:
            print(twelve.lines(ratios))
        told = {"runs": runs, "mapping": [asdict(one) for one in ratios], "void": void}
        written = json.dumps(told, indent=1, ensure_ascii=False)
        wanted.out.parent.mkdir(parents=True, exist_ok=True)
        wanted.out.write_text(written + "\n")
        if wanted.json:
            print(written)
    for doubt in void:
        print(f"VOID {doubt}", file=sys.stderr)
    return 1 if void else 0


if __name__ == "__main__":
    sys.exit(main())
