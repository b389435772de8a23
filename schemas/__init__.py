"""The canonical records, codes, calendar and errors. Pure: no I/O, no YAML, no legacy name.

Importing the package registers every kind (`schemas.record.KINDS`).
"""

from schemas.document import Document
from schemas.dossier import Dossier
from schemas.dossier_step import DossierStep
from schemas.indicator import Indicator

__all__ = ["Document", "Dossier", "DossierStep", "Indicator"]
