"""What data modules of generated benchmarks share: which drawing it is, and that it is drawn beforehand."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from reid.datamodules.pictures import PictureDataModule


class DrawnDataModule(PictureDataModule):
    """A benchmark that the program draws on first use; goes before the class that reads its layout.

    Args:
        drawing: the ``seed`` of the drawing and, if other than the default, its sizes.
    """

    drawer: ClassVar[Callable[..., Path]]  # (root, seed, sizes) -> the benchmark's folder
    sizes_class: ClassVar[type[Any]]  # the drawing's numbers

    def __init__(self, *args: Any, drawing: Mapping[str, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.drawing_seed = drawing.get("seed", 0)
        self.sizes = self.sizes_class(**{name: value for name, value in drawing.items() if name != "seed"})

    def draw(self) -> Path:
        """The benchmark's folder, drawn if it is not yet."""
        return type(self).drawer(self.root, seed=self.drawing_seed, sizes=self.sizes)

    def prepare_data(self) -> None:
        self.draw()
