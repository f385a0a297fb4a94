"""What is wrong with a benchmark, found before the first step: its labels, and the files they name."""

from reid.checks.benchmark import check
from reid.checks.finding import Finding

__all__ = ["Finding", "check"]
