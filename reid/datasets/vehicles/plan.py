"""Which pictures there are, and what they are called; nothing is drawn to know it."""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from reid.datasets.vehicles.cameras import CAMERAS


class Shot(NamedTuple):
    """One picture to take."""

    identity: int  # even in training, odd in the test
    camera: int  # 0-based
    moment: int  # within the pass

    @property
    def training(self) -> bool:
        return self.identity % 2 == 0

    @property
    def query(self) -> bool:
        return not self.training and self.moment == 0

    @property
    def name(self) -> str:
        """As VeRi's: vehicle, camera, time stamp, and index among the boxes of that moment."""
        time = 10_000 + 40 * self.identity + 650 * self.camera + 5 * self.moment
        return f"{self.identity:04d}_c{self.camera + 1:03d}_{time:08d}_0.jpg"


def plan_shots(*, train_identities: int, test_identities: int, passes: int, shots: int) -> Iterator[Shot]:
    """Every picture, the training's first, in the order of their names."""
    routes = list(combinations(range(len(CAMERAS)), passes))
    for count, first in ((train_identities, 2), (test_identities, 1)):
        for order in range(count):
            for camera in routes[order * 7 % len(routes)]:
                yield from (Shot(first + 2 * order, camera, moment) for moment in range(shots))
