"""A dry run of one source: connect, log in, fetch one page, and nothing more; nothing is settled, moved or kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hub import registry
from hub.ports import AdapterContext, Arrival
from hub.sections import SourceSection
from schemas.errors import SourceFault


async def first_page(section: SourceSection, name: str, folder: Path, timeout_s: float) -> Arrival | None:
    """The first page that a source gives to a hub that knows nothing yet; None where it has none.

    Raises: SourceFault, also after `timeout_s` seconds; ConfigError.
    """
    source = registry.source(section.adapter, section.settings, AdapterContext(name, folder))
    arrivals = source.arrivals({})
    try:
        async with asyncio.timeout(timeout_s):
            return await anext(arrivals, None)
    except TimeoutError as error:
        raise SourceFault(
            f"{name}: no page in {timeout_s:g} s — see that the source runs, or raise --timeout-s"
        ) from error
    finally:
        close = getattr(arrivals, "aclose", None)
        if close is not None:
            await close()
        await source.close()
