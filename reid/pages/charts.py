"""Charts of a page: where the lines, ticks and marks of an inline SVG lie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from matplotlib.ticker import MaxNLocator

from reid.plots.curves import ACCURACY, SCORES, SPEEDS, attribute, best_epoch, points_of

WIDTH, HEIGHT = 400, 220  # of the SVG's own units, which are about the pixels that it gets
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 10, 26  # margins, with room for the ticks' numbers
DOTTED = 30  # lines of so many points have dots, which say their value when pointed at


@dataclass(frozen=True)
class Line:
    """One named series; points that are not finite are left out."""

    name: str
    x: Sequence[float]
    y: Sequence[float]

    @property
    def points(self) -> list[tuple[float, float]]:
        return [(x, y) for x, y in zip(self.x, self.y, strict=True) if isfinite(x) and isfinite(y)]


@dataclass(frozen=True)
class Chart:
    """Lines over one axis; ``y`` in per cent where ``unit`` says so."""

    title: str
    lines: Sequence[Line]
    axis: str = "epoch"
    unit: str = ""
    marked: float | None = None  # an x to point out
    from_zero: bool = True

    def draw(self) -> "Drawing":
        """Raises ``ValueError`` without a finite point."""
        points = [point for line in self.lines for point in line.points]
        if not points:
            raise ValueError(f"the chart {self.title!r} has no finite point: give at least one")
        xs, ys = zip(*points, strict=True)
        low = min(0.0, *ys) if self.from_zero else min(ys)
        y_ticks = ticks(low, max(ys), count=5)
        if self.unit == "%":
            y_ticks = [tick for tick in y_ticks if 0 <= tick <= 100]
        x_ticks = ticks(min(xs), max(xs), count=8, integer=True)
        to_x = Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
        to_y = Scale(min(y_ticks[0], *ys), max(y_ticks[-1], *ys), HEIGHT - BOTTOM, TOP)
        return Drawing(
            curves=[Curve.of(line, self, to_x, to_y) for line in self.lines if line.points],
            x_ticks=[(to_x(tick), f"{tick:g}") for tick in x_ticks if min(xs) <= tick <= max(xs)],
            y_ticks=[(to_y(tick), f"{tick:g}") for tick in y_ticks],
            marked=None if self.marked is None else to_x(self.marked),
        )


@dataclass(frozen=True)
class Scale:
    """From values to the SVG's units; a single value lies in the middle."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.start + share * (self.end - self.start), 1)


@dataclass(frozen=True)
class Curve:
    """A line as SVG has it."""

    name: str
    value: str  # at the mark, else the last
    path: str  # of a polyline
    dots: Sequence[tuple[float, float, str]]  # x, y, and what it says

    @classmethod
    def of(cls, line: Line, chart: Chart, to_x: Scale, to_y: Scale) -> "Curve":
        unit = f" {chart.unit}" if chart.unit else ""
        places = [(to_x(x), to_y(y)) for x, y in line.points]
        says = [f"{chart.axis} {x:g}: {y:.4g}{unit}" for x, y in line.points]
        at = next((y for x, y in line.points if x == chart.marked), line.points[-1][1])
        dots = [(x, y, text) for (x, y), text in zip(places, says, strict=True)]
        return cls(
            name=line.name,
            value=f"{at:.1f} %" if chart.unit == "%" else f"{at:.3g}",
            path=" ".join(f"{x:g},{y:g}" for x, y in places),
            dots=dots if len(dots) <= DOTTED else [],
        )


@dataclass(frozen=True)
class Drawing:
    """What the template draws, in the SVG's units."""

    curves: Sequence[Curve]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    marked: float | None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM


def ticks(low: float, high: float, *, count: int, integer: bool = False) -> list[float]:
    """Round values that cover the range, at most ``count`` steps."""
    locator = MaxNLocator(nbins=count, integer=integer, steps=[1, 2, 5, 10])
    return [float(tick) for tick in locator.tick_values(low, high)]


def training_charts(epochs: Sequence[Mapping[str, float]]) -> list[Chart]:
    """Losses, scores, accuracies and learning rate of rows of metrics.csv; what none has is left out."""
    names = list(dict.fromkeys(name for row in epochs for name in row))
    losses = [name for name in names if name.startswith("train/") and name not in SPEEDS]
    losses.sort(key=lambda name: name != "train/loss")  # the sum first
    accuracies = [name for name in names if name.startswith("val/") and name.endswith(ACCURACY)]
    series = {
        name: points
        for name in (*losses, *SCORES, *accuracies, "learning_rate")
        if len((points := points_of(epochs, name))[0])
    }
    best = best_epoch(series)
    named = {
        "Training loss": {name: name.removeprefix("train/") for name in losses},
        "Keypoints" if "val/pck" in series else "Retrieval": {name: SCORES[name][0] for name in SCORES},
        "Attributes": {name: attribute(name) for name in accuracies},
        "Learning rate": {"learning_rate": "learning rate"},
    }
    charts = []
    for title, lines in named.items():
        percent = any(name.startswith("val/") for name in lines)
        drawn = [
            Line(
                "weighted sum" if label == "loss" else label,
                series[name][0].tolist(),
                ((100 if percent else 1) * series[name][1]).tolist(),
            )
            for name, label in lines.items()
            if name in series
        ]
        if drawn:
            charts.append(Chart(title, drawn, unit="%" if percent else "", marked=best))
    return charts
