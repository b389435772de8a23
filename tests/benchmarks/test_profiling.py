"""The profile: what a thread spends is put down to the functions on its stack, and what waits costs nothing."""

from __future__ import annotations

import threading

from benchmarks.profiling import Sampler


def _burn(sampler: Sampler) -> None:
    until = sampler.looks + 5
    while sampler.looks < until:
        sum(range(1000))


def test_what_threads_spent_is_put_down_to_their_functions() -> None:
    stopped = threading.Event()
    waiting = threading.Thread(target=stopped.wait, name="waiter")
    sampler = Sampler()
    burning = threading.Thread(target=_burn, args=(sampler,), name="burner")
    waiting.start()
    sampler.start()
    try:
        burning.start()
        burning.join()
    finally:
        sampler.stop()
        stopped.set()
        waiting.join()
    shares = sampler.shares()
    within = shares["by function, with what it calls"]
    assert any(name.endswith("test_profiling.py:_burn") for name in within)
    # The waiter spent a little on beginning to wait.
    assert shares["by thread"]["burner"] > shares["by thread"].get("waiter", 0.0)
    assert "by thread" in sampler.told(1, top=3)
