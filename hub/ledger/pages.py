"""Bodies of a page, packed whole (R16, and docs/performance.md: packing per record costs ten times as much)."""

from __future__ import annotations

import zlib

LEVEL = 1


def pack(body: bytes) -> bytes:
    """Compress a page (zlib, RFC 1950)."""
    return zlib.compress(body, LEVEL)


def unpack(packed: bytes) -> bytes:
    """Return what `pack` was given. Raises: zlib.error where the database's bytes are damaged."""
    return zlib.decompress(packed)
