"""Opens the ledger for commands that only look at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub.ledger.views import LedgerReader


@contextmanager
def reading(config: Path, ledger: str | None) -> Iterator[LedgerReader]:
    """Yield the read side of the ledger that `ledger`, the environment or the configuration names.

    Only the ledger's section of the configuration has to be right. Raises: ConfigError, LedgerFault.
    """
    from hub.ledger.read import open_reader
    from hub.settings import locate_ledger

    with open_reader(locate_ledger(config, ledger)) as reader:
        yield reader
