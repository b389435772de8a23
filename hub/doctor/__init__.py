"""Looks at a whole deployment, running or stopped, and says what is well, doubtful or wrong (`hub doctor`).

Every check has a deadline of its own and runs beside the others; none changes anything. `hub.doctor.examine` runs them,
`hub.doctor.bundle` writes what they found into a file that may be given away.
"""

from hub.doctor.examine import examine
from hub.doctor.finding import Finding, Level, Report

__all__ = ["Finding", "Level", "Report", "examine"]
