"""Looks again and again for troubles, and has them judged and told (`hub.alerts` judges, `hub.telling` tells)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from hub.alerts import Judgement, Observed
from hub.ledger import Ledger
from hub.ledger.alerts import Audience
from hub.ledger.observing import Slow
from hub.ports import Bus
from hub.sections import Deployment

log = logging.getLogger(__name__)

LOOK_S = 5.0
"""Between two looks, at most: a fourth of `after_s` where that is less."""

SLOWLY_EVERY = 12
"""Looks between two at what takes longer."""


@dataclass(slots=True)
class Watching:
    """Looks for all destinations and sources of a configuration, and at this process's own bus and ledger."""

    ledger: Ledger
    bus: Bus
    deployment: Deployment
    now_us: Callable[[], int]
    _looks: int = 0
    _slow: Slow = field(default_factory=Slow)
    _late: Mapping[str, int] = field(default_factory=dict)
    _bus_away_us: int | None = None
    _problem_us: int | None = None

    async def run(self) -> None:
        """Serve for ever."""
        pause_s = min(LOOK_S, self.deployment.alerts.after_s / 4)
        while True:
            await self.look()
            await asyncio.sleep(pause_s)

    async def look(self) -> None:
        """Look once; what has changed is in the ledger then, with its messages."""
        d = self.deployment
        if self._looks % SLOWLY_EVERY == 0:
            self._slow = await self.ledger.look_slowly(d.destinations)
            self._late = await self.ledger.forecast(d.destinations)
        self._looks += 1
        observed = await self.ledger.observe(d.destinations, d.sources, self._slow)
        judgement = await self.ledger.judge_and_tell(
            self._with_own(observed), d.alerts, Audience(d.hub.name, d.alerts.channels)
        )
        self._say(judgement or Judgement())

    def _with_own(self, observed: Observed) -> Observed:
        """Add what is known outside the ledger."""
        now_us = self.now_us()
        away = self.bus.state() not in ("connected", "stopped")
        self._bus_away_us = (self._bus_away_us or now_us) if away else None
        self._problem_us = (self._problem_us or now_us) if self.ledger.problem is not None else None
        seen = [replace(one, late=self._late.get(one.name)) for one in observed.destinations]
        return replace(observed, destinations=seen, bus_away_us=self._bus_away_us, ledger_problem_us=self._problem_us)

    @staticmethod
    def _say(judgement: Judgement) -> None:
        for sign in judgement.opened:
            log.warning("alert: %s: %s", sign.subject, sign.trouble)
        for alert in judgement.closed:
            log.info("alert over: %s: %s", alert.subject, alert.trouble)
