"""The doctor: looks at everything sensed depends on, changes nothing, and says what to do.

Each check is a probe, which gathers facts, and a table, which judges them.
"""

from sensed.doctor.examination import CHECKS, Place, examine
from sensed.doctor.findings import Finding, Level, worst

__all__ = ["CHECKS", "Finding", "Level", "Place", "examine", "worst"]
