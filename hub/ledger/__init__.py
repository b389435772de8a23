"""The ledger: the truth of what arrived, what it became, and what each portal was sent (docs/architecture.md)."""

from __future__ import annotations

from hub.ledger.ledger import Ledger
from hub.ledger.values import DestinationRules

__all__ = ["DestinationRules", "Ledger"]
