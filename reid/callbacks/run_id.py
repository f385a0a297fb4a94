"""Which run of wandb a checkpoint is of, so that a resumed training goes on in it."""

from typing import Any

import pytorch_lightning as pl

from reid.loggers import WandbRun


class RunId(pl.Callback):
    """Adds ``wandb`` to checkpoints, the run's ``project`` and ``id``, where wandb is the logger."""

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, WandbRun) and logger.version is not None:  # known to the first rank
                checkpoint["wandb"] = {"project": logger.name, "id": logger.version}
