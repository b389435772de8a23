"""What runs measured, when a measurement is void, and how it is told. Pure: it starts nothing and reads no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

TWINS_SHARE = 0.25
"""Of the processor time of a run that the twins may have at most, or they and not the program are measured."""
WHOLE_TO_PARTS = 1.3
"""How long the floor may take as a whole, in terms of its stages alone: longer would mean that it is badly put
together. By the clock, by which the ratio is taken; its processor time is shown beside it."""

Costs = Mapping[str, Mapping[str, float]]
"""Per stage `cpu_us` and `wall_us` per dossier."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the two programs run on."""

    bus: str
    ledger: str


@dataclass(frozen=True, slots=True)
class Run:
    """One program's run over all dossiers."""

    what: str
    dossiers: int
    wall_s: float
    """From the first page asked for to the last record received, by the twins."""
    cpu_s: float
    """Of the program, all its threads."""
    twins_cpu_s: float
    missing: str
    """What was lost or came twice; empty where nothing."""
    servers_cpu_s: float = 0.0
    """Of broker and database, where they are processes."""
    peak_rss_mb: float = 0.0
    quarter_rss_mb: float = 0.0
    end_rss_mb: float = 0.0
    stages: Costs = field(default_factory=dict)

    @property
    def per_s(self) -> float:
        return self.dossiers / self.wall_s

    @property
    def cpu_us(self) -> float:
        return self.cpu_s * 1e6 / self.dossiers

    @property
    def wall_us(self) -> float:
        return self.wall_s * 1e6 / self.dossiers


@dataclass(frozen=True, slots=True)
class Pair:
    """The floor, its stages alone, and the hub, one right after the other."""

    floor: Run
    stages: Run
    hub: Run

    @property
    def ratio(self) -> float:
        return self.hub.per_s / self.floor.per_s

    @property
    def cpu_ratio(self) -> float:
        """What the floor's own processor time is of the hub's: less at the mercy of a busy machine than `ratio`."""
        return self.floor.cpu_us / self.hub.cpu_us


def doubts(pairs: Sequence[Pair]) -> list[str]:
    """Why the measurement is void; empty where it is to be believed."""
    found: list[str] = []
    for number, pair in enumerate(pairs, 1):
        all_three = (pair.floor, pair.stages, pair.hub)
        found += [f"pair {number}, {run.what}: {run.missing}" for run in all_three if run.missing]
        for run in (pair.floor, pair.hub):
            share = run.twins_cpu_s / (run.twins_cpu_s + run.cpu_s)
            if share > TWINS_SHARE:
                found.append(f"pair {number}, {run.what}: the twins took {share:.0%} of the processor time")
    whole_us = median(pair.floor.wall_us for pair in pairs)
    parts_us = median(_sum(pair.stages.stages, "wall_us") for pair in pairs)
    if whole_us > WHOLE_TO_PARTS * parts_us:
        found.append(
            f"the floor took {whole_us:.0f} µs per dossier, more than {WHOLE_TO_PARTS} times the {parts_us:.0f} of its "
            "stages"
        )
    return found


def _sum(costs: Costs, measure: str) -> float:
    return sum(cost[measure] for cost in costs.values())


def report(service: Service, pairs: Sequence[Pair], sampled: Run, fsyncs_per_s: float) -> dict[str, Any]:
    """One entry of bench.json: medians over the pairs, rates per second, costs in µs per dossier."""

    def middle(value: Callable[[Pair], float], digits: int = 1) -> float:
        return round(median(value(pair) for pair in pairs), digits)

    names = list(pairs[0].stages.stages)
    floor_stages = {
        name: {m: middle(lambda pair, n=name, m=m: pair.stages.stages[n][m]) for m in ("cpu_us", "wall_us")}  # type: ignore[misc]
        for name in names
    }
    return {
        "bus": service.bus,
        "ledger": service.ledger,
        "dossiers": pairs[0].hub.dossiers,
        "pairs": len(pairs),
        "per_s": middle(lambda pair: pair.hub.per_s),
        "floor_per_s": middle(lambda pair: pair.floor.per_s),
        "ratio": middle(lambda pair: pair.ratio, 3),
        "ratios": [round(pair.ratio, 3) for pair in pairs],
        "cpu_ratio": middle(lambda pair: pair.cpu_ratio, 3),
        "cpu_us_per_dossier": middle(lambda pair: pair.hub.cpu_us),
        "floor_cpu_us_per_dossier": middle(lambda pair: pair.floor.cpu_us),
        "wall_us_per_dossier": middle(lambda pair: pair.hub.wall_us),
        "floor_wall_us_per_dossier": middle(lambda pair: pair.floor.wall_us),
        "twins_cpu_us_per_dossier": middle(lambda pair: pair.hub.twins_cpu_s * 1e6 / pair.hub.dossiers),
        "servers_cpu_us_per_dossier": middle(lambda pair: pair.hub.servers_cpu_s * 1e6 / pair.hub.dossiers),
        "floor_servers_cpu_us_per_dossier": middle(lambda pair: pair.floor.servers_cpu_s * 1e6 / pair.hub.dossiers),
        "peak_rss_mb": middle(lambda pair: pair.hub.peak_rss_mb),
        "quarter_rss_mb": middle(lambda pair: pair.hub.quarter_rss_mb),
        "end_rss_mb": middle(lambda pair: pair.hub.end_rss_mb),
        "floor_peak_rss_mb": middle(lambda pair: pair.floor.peak_rss_mb),
        "fsyncs_per_s": round(fsyncs_per_s),
        "floor_stages": floor_stages,
        "stages": {
            name: {m: round(us / sampled.dossiers, 1) for m, us in cost.items()}
            for name, cost in sampled.stages.items()
        },
    }


def table(made: Mapping[str, Any]) -> str:
    """An entry of bench.json for people."""
    floor, hub = made["floor_stages"], made["stages"]
    lines = [
        f"{made['bus']} + {made['ledger']}: {made['dossiers']:,} dossiers to two portals, "
        f"medians of {made['pairs']} pairs",
        f"  hub {made['per_s']:,.0f} dossiers/s, floor {made['floor_per_s']:,.0f}: ratio {made['ratio']:.2f} "
        f"(pairs {', '.join(f'{ratio:.2f}' for ratio in made['ratios'])}; by processor time {made['cpu_ratio']:.2f})",
        "",
        f"  {'µs per dossier':16}{'floor: alone':>14}{'its CPU':>10}{'hub: CPU, sampled':>20}",
    ]
    for name in [*floor, *(name for name in hub if name not in floor)]:
        alone = [f"{floor[name][m]:.1f}" if name in floor else "" for m in ("wall_us", "cpu_us")]
        sampled = f"{hub[name]['cpu_us']:.1f}" if name in hub else ""
        lines.append(f"  {name:16}{alone[0]:>14}{alone[1]:>10}{sampled:>20}")
    sums = [sum(cost[m] for cost in floor.values()) for m in ("wall_us", "cpu_us")]
    sampled_sum = sum(cost["cpu_us"] for cost in hub.values())
    lines += [
        f"  {'sum':16}{sums[0]:>14.1f}{sums[1]:>10.1f}{sampled_sum:>20.1f}",
        f"  {'whole / sum':16}{made['floor_wall_us_per_dossier'] / sums[0]:>14.2f}"
        f"{made['floor_cpu_us_per_dossier'] / sums[1]:>10.2f}",
        f"  {'whole run':16}{made['floor_wall_us_per_dossier']:>14.1f}{made['floor_cpu_us_per_dossier']:>10.1f}"
        f"{made['cpu_us_per_dossier']:>20.1f}   (hub: {made['wall_us_per_dossier']:.1f} by the clock)",
        "",
        f"  servers {made['servers_cpu_us_per_dossier']:.0f} µs of CPU (floor "
        f"{made['floor_servers_cpu_us_per_dossier']:.0f}), twins {made['twins_cpu_us_per_dossier']:.0f}; "
        f"this disk does {made['fsyncs_per_s']:,} fsyncs a second",
        f"  memory of the hub: {made['quarter_rss_mb']:.0f} MB at a quarter, {made['end_rss_mb']:.0f} MB at the end, "
        f"{made['peak_rss_mb']:.0f} MB at most (floor {made['floor_peak_rss_mb']:.0f} MB)",
        "",
    ]
    return "\n".join(lines)
