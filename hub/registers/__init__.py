"""Registers taken over from a portal's catalogues: read, compared with what was known, kept, merged with what is
written by hand, and put in force."""

from __future__ import annotations

from hub.registers.merging import Registers, merge

__all__ = ["Registers", "merge"]
