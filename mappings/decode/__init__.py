"""Bytes to trees, hostile bytes included: every decoder gives a value or raises UndecodableError, nothing else.

One module per format, and `charset` before them all. `source` is what a mapping says about its bytes.
"""

from mappings.decode.source import ErrorSign, SourceSpec, Unwrap

__all__ = ["ErrorSign", "SourceSpec", "Unwrap"]
