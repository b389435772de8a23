"""The configuration that is drilled: the user's own, with the other side replaced and long waits made short.

What is kept as it is: sources' mappings, routes, destinations' adapters, settings, answer tables, batches, attempts,
agencies. What is replaced: every source by one that shows recorded pages, where each destination is and who the hub is
there, ledger and bus. What could reach somebody outside (alerts, mail) or keeps a gate shut (maintenance) is left out.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hub import registry
from hub.check import check
from hub.draft import ENVIRONMENT_OVERRIDES
from hub.drill.stand_ins import StandIn
from hub.yaml_lines import Document, read
from schemas.errors import ConfigError

DEADLINE_S = 1.5
FIRST_S, CAP_S = 0.2, 1.0
POLL_S = 0.2
KEPT = ("hub", "ledger", "bus", "agencies", "procedures", "sources", "destinations", "routes")
CLOSES = ("maintenance",)
"""Settings of a destination that would keep its gate shut while it is drilled."""
LIMITS = "only"
"""What limits a route for the first days."""
RATE_PER_S = 200.0


@dataclass(slots=True)
class Changes:
    """What differs from the user's configuration beyond the addresses, for people."""

    timings: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def said(self) -> list[str]:
        made = [f"timings shortened: {one}" for one in self.timings]
        return made + [f"left out: {one}" for one in self.left_out]


def environment() -> dict[str, str]:
    """The environment without what would put other addresses into the configuration."""
    return {name: value for name, value in os.environ.items() if name not in ENVIRONMENT_OVERRIDES.values()}


async def must_be_right(file: Path, twins: Mapping[str, StandIn], skipped: Collection[str]) -> None:
    """Raises: ConfigError with everything that `hub check --offline` finds, but variables that a drill does without."""
    findings = await check(file, offline=True, environment=environment())
    dropped = {str(key) for key in read(file).data} - set(KEPT)
    without = ["ledger.url:", "bus.url:", "sources.", *(f"{key}{end}" for key in dropped for end in ".:")]
    without += [f"destinations.{name}.settings." for name in skipped]
    without += [
        f"destinations.{name}.settings.{key}{end}"
        for name, twin in twins.items()
        for key in (*twin.replaces, *twin.drops)
        for end in ".:"
    ]
    problems = [
        problem
        for problem in findings.problems
        if problem.rule != "undefined-variable" or not problem.message.startswith(tuple(without))
    ]
    if problems:
        raise ConfigError(problems)


def copy(
    document: Document,
    media: Mapping[str, str],
    destinations: Mapping[str, Mapping[str, Any]],
    urls: Mapping[str, Any],
    changes: Changes,
) -> dict[str, Any]:
    """The file to be drilled, as data.

    `media` is per source what its pages are, `destinations` are the sections as `portal` made them, `urls` are the
    sections `ledger` and `bus`.
    """
    given = document.data
    for key in given.keys() - set(KEPT):
        changes.left_out.append(str(key))
    sources = {
        name: {
            "adapter": "recorded",
            "agency_name": given["sources"][name].get("agency_name"),
            "every_s": POLL_S,
            "mappings": given["sources"][name]["mappings"],
            "settings": {"folder": f"../recorded/{name}", "media": kind},
        }
        for name, kind in media.items()
    }
    limited = [
        f"routes.{at}.{LIMITS}: the whole route is drilled" for at, r in enumerate(given["routes"]) if LIMITS in r
    ]
    changes.left_out += limited
    routes = [
        {key: value for key, value in route.items() if key != LIMITS}
        | {"to": [name for name in route["to"] if name in destinations]}
        for route in given["routes"]
    ]
    made = {
        "hub": given["hub"],
        **urls,
        **{key: given[key] for key in ("agencies", "procedures") if key in given},
        "sources": sources,
        "destinations": dict(destinations),
        "routes": [route for route in routes if route["to"]],
    }
    changes.left_out += [f"routes.{at}: its destinations are skipped" for at, one in enumerate(routes) if not one["to"]]
    return made


def portal(name: str, given: Mapping[str, Any], twin: StandIn, url: str, changes: Changes) -> dict[str, Any]:
    """A destination's section with its twin in its place, and short waits."""
    section = {key: value for key, value in given.items() if key not in CLOSES}
    changes.left_out += [f"destinations.{name}.{key}" for key in CLOSES if key in given]
    if section.get("unknown_events") == "ask-operator":
        section["unknown_events"] = "resend"
        changes.left_out.append(f"destinations.{name}.unknown_events: ask-operator (the operator would answer: resend)")
    settings = {key: value for key, value in given.get("settings", {}).items() if key not in twin.drops}
    section["settings"] = dict(twin.settings(settings, url))
    shorter: list[str] = []
    deadline_s = deadline_of(given)
    if deadline_s < _number(given.get("deadline_s"), 30.0):
        shorter.append(f"deadline_s {_shown(given.get('deadline_s', 30))} → {deadline_s:g}")
    section["deadline_s"] = deadline_s
    retry = {"first_s": 1, "cap_s": 300, **(given.get("retry") or {})}
    _shorten(retry, "retry", shorter)
    if isinstance(classes := retry.get("classes"), dict):
        retry["classes"] = {key: dict(value) for key, value in classes.items()}
        for key, value in retry["classes"].items():
            _shorten(value, f"retry.classes.{key}", shorter)
    section["retry"] = retry
    rate_per_s = _number(section.get("rate_per_s"), RATE_PER_S)
    if rate_per_s < RATE_PER_S:
        section["rate_per_s"] = RATE_PER_S
        shorter.append(f"rate_per_s {rate_per_s:g} → {RATE_PER_S:g}")
    for key in _timeouts(str(given["adapter"])):
        model = registry.adapter(str(given["adapter"])).Settings.model_fields[key]
        value = _number(section["settings"].get(key), _number(model.default, 30.0))
        if value >= deadline_s:
            section["settings"][key] = deadline_s / 2
            shorter.append(f"{key} {value:g} → {deadline_s / 2:g}")
    if shorter:
        changes.timings.append(f"destinations.{name}: {', '.join(shorter)}")
    return section


def _shorten(retry: dict[str, Any], where: str, shorter: list[str]) -> None:
    """Shorten the waits of one schedule of attempts; how many there are stays."""
    for key, most in (("first_s", FIRST_S), ("cap_s", CAP_S)):
        if key in retry:
            value = _number(retry[key], most)
            if value > most:
                shorter.append(f"{where}.{key} {_shown(retry[key])} → {most:g}")
            retry[key] = min(value, most)


def deadline_of(given: Mapping[str, Any]) -> float:
    """The limit of one call in the drill, seconds."""
    return min(DEADLINE_S, _number(given.get("deadline_s"), 30.0))


def write(made: Mapping[str, Any], original: Path, folder: Path) -> Path:
    """Write the file into `folder`, with links to everything that lies beside the original: paths stay as they are."""
    folder.mkdir(parents=True)
    file = folder / "hub.yaml"
    for entry in original.resolve().parent.iterdir():
        if entry.name != file.name and not entry.name.startswith("."):
            (folder / entry.name).symlink_to(entry)
    text = yaml.dump(dict(made), Dumper=_Plain, allow_unicode=True, sort_keys=False)
    file.write_text(text, encoding="utf-8")
    return file


class _Plain(yaml.SafeDumper):
    """The notation has no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _timeouts(adapter: str) -> Sequence[str]:
    return [key for key in registry.adapter(adapter).Settings.model_fields if key.endswith("timeout_s")]


def _number(value: Any, default: float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return default


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
