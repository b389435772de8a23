"""One figure of a sector (chỉ tiêu): kind `indicator.v1`, what an agency reports of one thing for one period."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar

from schemas.fields import AgencyCode, Amount, Barless, Line, Moment, Period, Unit
from schemas.record import Record
from schemas.sensitivity import Sensitive, Sensitivity

_PUBLIC = Sensitive(Sensitivity.PUBLIC)


class Indicator(Record):
    """One figure, a snapshot: a corrected figure replaces the one before it. Field by field in docs/glossary.md.

    The figure is text of a decimal number and never a float, so that it is at every portal, to the last digit, what
    the agency wrote; `amount` is for calculating. A figure for a part of an agency's work (by age, by trade) is an
    indicator with a code of its own. Raises (on validation): pydantic.ValidationError.
    """

    kind: ClassVar[str] = "indicator.v1"
    event: ClassVar[bool] = False
    time_field: ClassVar[str | None] = "changed_at"
    day_field: ClassVar[str | None] = "period"

    code: Annotated[Barless, _PUBLIC]
    name: Annotated[Line | None, _PUBLIC] = None
    period: Annotated[Period, _PUBLIC]
    agency: Annotated[AgencyCode, _PUBLIC]
    """Whose figure it is: the agency that reports it, or of whose area it tells."""
    value: Amount
    """Not public: figures are known to an agency before they are released."""
    unit: Annotated[Unit, _PUBLIC]
    changed_at: Moment | None = None
    """The source's own time of this figure."""

    @property
    def key(self) -> str:
        """`code|period|agency`."""
        return f"{self.code}|{self.period}|{self.agency}"

    @property
    def lane(self) -> str:
        return self.key

    @property
    def amount(self) -> Decimal:
        """The value as a number, exact."""
        return Decimal(self.value)
