"""The user's own pictures."""

from pathlib import Path
from typing import Any

from reid.datamodules.reid import ReIDDataModule
from reid.datasets import Benchmark, read_own


class FolderDataModule(ReIDDataModule):
    """Images that a table describes, or that lie in a folder for each identity.

    Args:
        path: the folder of the images.
        table: a csv or parquet file, relative to ``path``.
        camera_pattern: regular expression whose first group is the camera in a file's name; not for tables.
        test_share: of the identities, where nothing says which are for training.
    """

    def __init__(
        self,
        *args: Any,
        path: str | Path,
        table: str | Path | None = None,
        camera_pattern: str,
        test_share: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.path = Path(path).expanduser()
        self.table = None if table is None else Path(table).expanduser()
        self.camera_pattern = camera_pattern
        self.test_share = test_share

    def read(self) -> Benchmark:
        return read_own(
            self.path,
            name=self.name,
            table=self.table,
            camera_pattern=self.camera_pattern,
            test_share=self.test_share,
            seed=self.seed,
        )
