"""Looks for lengths of time and for sizes that contradict each other, so that one of them can never matter. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from hub.draft import Draft
from schemas.errors import Problem


def time_warnings(made: Draft, settings: Mapping[tuple[str, str], tuple[type[Any], BaseModel]]) -> Iterator[Problem]:
    """Yield what runs and cannot be meant; `settings` by (sources or destinations, name) as `hub.check` has them."""
    for name, destination in made.destinations.items():
        _, own = settings.get(("destinations", name), (None, None))
        for key in sorted(own.model_fields_set if own is not None else ()):
            size = getattr(own, key)
            if key.endswith("batch") and isinstance(size, int) and size > destination.window:
                said = (
                    f"destinations.{name}: window ({destination.window}) is below {key} ({size}), which is never full"
                )
                mend = f"raise window to {size} at least, or lower {key}"
                yield made.located("window-below-batch", said, mend, ("destinations", name, "settings", key))
        if destination.window < destination.parallel:
            said = f"destinations.{name}: window ({destination.window}) is below parallel ({destination.parallel})"
            mend = f"raise window to {destination.parallel} at least, or lower parallel"
            yield made.located("window-below-parallel", said, mend, ("destinations", name, "window"))
    alerts = made.alerts
    for name, source in made.sources.items():
        if alerts is not None and alerts.channels and source.every_s > alerts.source_after_s:
            said = (
                f"sources.{name}: every_s ({source.every_s:g}) is above alerts.source_after_s "
                f"({alerts.source_after_s:g}), so one failed poll is told before it is tried again"
            )
            mend = f"raise alerts.source_after_s above {source.every_s:g}, or lower every_s"
            yield made.located("alert-before-poll", said, mend, ("sources", name, "every_s"))
