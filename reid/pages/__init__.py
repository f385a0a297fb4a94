"""Pages that a browser shows without a network or a service: plain data and a path in, one HTML file out."""

from reid.pages.charts import Chart, Line, training_charts
from reid.pages.run import Matrix, RunReport, write_run_report
from reid.pages.sweep import write_sweep_report
from reid.pages.sweep_charts import ShownJob, sweep_charts

__all__ = [
    "Chart",
    "Line",
    "Matrix",
    "RunReport",
    "ShownJob",
    "sweep_charts",
    "training_charts",
    "write_run_report",
    "write_sweep_report",
]
