"""Where the hub's processor time goes, by stage, module, function and thread, while it runs the bench's line.

    python -m benchmarks.profiling [--dossiers 5000] [--bus embedded|rabbitmq] [--top 40] [--out FILE]

A thread looks at all other threads some hundred times a second: what processor time each has spent since the last
look, by its own clock, is put down to the functions on its stack. So totals are exact per thread, shares are samples;
what waits costs nothing, and the writer's thread counts as the others do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import CodeType, FrameType

from benchmarks.line import run as run_hub

EVERY_S = 0.002
_ROOT = str(Path(__file__).resolve().parents[1]) + "/"

STAGES: tuple[tuple[str, str, str], ...] = (
    # The innermost function of the stack that one of these names decides: (end of the file's name, function, stage).
    ("hub/ledger/settle.py", "settle", "store"),
    ("hub/ledger/sending.py", "claim", "claim"),
    ("hub/ledger/sending.py", "finish", "finish"),
    ("hub/ledger/sending.py", "with_bodies", "bodies"),
    ("hub/ledger/relay.py", "", "relay"),
    ("hub/ledger/writer.py", "_transaction", "commit"),
    ("hub/ledger/writer.py", "_work", "writer"),
    ("hub/ledger/pages.py", "pack", "pack"),
    ("mappings/document.py", "decode", "decode"),
    ("mappings/inbound.py", "rows", "validate"),
    ("hub/process.py", "_candidate", "digest, to JSON"),
    ("hub/process.py", "process", "process"),
    ("adapters/soap.py", "read", "paging"),
    ("adapters/soap.py", "_ask", "fetch"),
    ("adapters/soap.py", "_build", "fetch"),
    ("adapters/soap.py", "refuse_fault", "fetch"),
    ("adapters/fetching.py", "", "fetch"),
    ("hub/deliver.py", "_render", "render"),
    ("hub/deliver.py", "_calls", "render"),
    ("adapters/dvcqg.py", "", "call"),
    ("adapters/calling.py", "", "call"),
    ("hub/bus/publisher.py", "", "publish"),
    ("hub/bus/window.py", "", "publish"),
    ("hub/bus/embedded.py", "publish", "publish"),
    ("hub/bus/embedded.py", "", "consume"),
    ("hub/bus/consumer.py", "", "consume"),
    ("hub/deliver.py", "", "deliver's loop"),
    ("hub/ingest.py", "", "ingest's loop"),
    ("pika/", "", "AMQP"),
)


@cache
def stage_of(stack: tuple[CodeType, ...]) -> str:
    """The stage of a stack, innermost first."""
    for code in stack:
        for file, function, stage in STAGES:
            if file in code.co_filename and function in ("", code.co_name):
                return stage
    return "event loop" if any("asyncio/" in code.co_filename for code in stack) else "other"


_WAITING = (
    ("selectors.py", "select"),
    ("threading.py", "wait"),
    ("threading.py", "_wait_for_tstate_lock"),
    ("concurrent/futures/thread.py", "_worker"),
)
"""Functions in which a thread spends nothing: what it is found to have spent there, it spent before, out of sight."""


class Sampler:
    """Samples from `start` to `stop`."""

    def __init__(self) -> None:
        self.looks = 0
        """How often it has looked so far."""
        self._seen: dict[tuple[str, tuple[CodeType, ...]], float] = {}
        self._spent: dict[int, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._switch_s = sys.getswitchinterval()

    def start(self) -> None:
        self._look(count=False)
        # So that it gets its turn while others are busy: by default it would wait for five milliseconds each time.
        sys.setswitchinterval(EVERY_S / 4)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        sys.setswitchinterval(self._switch_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            time.sleep(EVERY_S)
            self._look(count=True)
            self.looks += 1

    def _look(self, *, count: bool) -> None:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        for ident, frame in sys._current_frames().items():
            if ident == self._thread.ident or ident not in names:
                continue
            try:
                spent = time.clock_gettime(time.pthread_getcpuclockid(ident))
            except OSError:
                continue  # it has just ended
            before = self._spent.get(ident, 0.0)
            # Less than before: the thread that was known by this number has ended, and another has it now.
            since, self._spent[ident] = spent - before if spent >= before else spent, spent
            if count and since > 0:
                key = names[ident].rstrip("0123456789_-"), tuple(_stack(frame))
                self._seen[key] = self._seen.get(key, 0.0) + since

    def shares(self) -> dict[str, dict[str, float]]:
        """Seconds of processor time by title and name; what was spent out of sight is shared out within its thread."""
        shares: dict[str, dict[str, float]] = {title: defaultdict(float) for title in _TITLES}
        total: dict[str, float] = defaultdict(float)
        busy: dict[str, float] = defaultdict(float)
        for (thread, stack), seconds in self._seen.items():
            total[thread] += seconds
            busy[thread] += 0.0 if _waits(stack) else seconds
        stages, threads, modules, alone, within = shares.values()
        for (thread, stack), seconds in self._seen.items():
            if busy[thread] and _waits(stack):
                continue
            part = seconds * total[thread] / (busy[thread] or total[thread])
            names = [_name(code) for code in stack]
            stages[stage_of(stack)] += part
            threads[thread] += part
            alone[names[0]] += part
            modules[names[0].partition(":")[0]] += part
            for name in set(names):
                within[name] += part
        return shares

    def told(self, dossiers: int, top: int) -> str:
        """All shares in µs per dossier, the largest first."""
        lines = []
        for title, found in self.shares().items():
            lines.append(f"\n{title}, µs of processor time per dossier")
            lines += [f"{seconds * 1e6 / dossiers:10.1f}  {name}" for name, seconds in _largest(found)[:top]]
        return "\n".join(lines)


_TITLES = (
    "by stage",
    "by thread",
    "by module, without what it calls",
    "by function, without what it calls",
    "by function, with what it calls",
)


def _waits(stack: Sequence[CodeType]) -> bool:
    return any(stack[0].co_filename.endswith(file) and stack[0].co_name == name for file, name in _WAITING)


def _stack(innermost: FrameType) -> list[CodeType]:
    stack: list[CodeType] = []
    frame: FrameType | None = innermost
    while frame is not None:
        stack.append(frame.f_code)
        frame = frame.f_back
    return stack


@cache
def _name(code: CodeType) -> str:
    file = code.co_filename.removeprefix(_ROOT).rpartition("site-packages/")[2].rpartition("/python3.11/")[2]
    return f"{file}:{code.co_qualname}"


def _largest(counter: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(counter.items(), key=lambda entry: -entry[1])


def sampled(config: Path) -> tuple[Sampler, dict[str, float]]:
    """Run the hub of a configuration in this process under a sampler."""
    sampler = Sampler()
    try:
        facts = asyncio.run(run_hub(config, sampler.start))
    finally:
        sampler.stop()
    return sampler, facts


def main() -> None:
    parser = argparse.ArgumentParser(description="Where the hub's processor time goes.")
    parser.add_argument("--config", type=Path, help=argparse.SUPPRESS)  # what the bench gives: one line of JSON back
    parser.add_argument("--dossiers", type=int, default=5000)
    parser.add_argument("--bus", choices=("embedded", "rabbitmq"), default="embedded")
    parser.add_argument("--top", type=int, default=40)
    parser.add_argument("--out", type=Path, help="a file instead of standard output")
    wanted = parser.parse_args()
    if wanted.config:
        sampler, facts = sampled(wanted.config)
        print(
            json.dumps(
                {**facts, "stages": {name: {"cpu_us": s * 1e6} for name, s in _largest(sampler.shares()[_TITLES[0]])}}
            )
        )
        return
    from benchmarks.bench import SERVICES, stage
    from benchmarks.dossiers import write_pages
    from benchmarks.line import configure
    from benchmarks.twins import Twins

    service = next(one for one in SERVICES if one.bus == wanted.bus)
    with tempfile.TemporaryDirectory(prefix="bench-") as held:
        pages = write_pages(Path(held) / "pages", wanted.dossiers)
        with stage(service, pages, Path(held)) as here:
            folder, ledger, prefix = here.fresh()
            with Twins(pages, folder) as twins:
                sampler, facts = sampled(configure(folder / "hub", twins.urls, ledger, here.broker, prefix))
                lost = twins.missing()
    text = f"{facts['cpu_s'] * 1e6 / wanted.dossiers:.1f} µs of processor time per dossier, {lost or 'nothing lost'}\n"
    text += sampler.told(wanted.dossiers, wanted.top) + "\n"
    if wanted.out:
        wanted.out.write_text(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
