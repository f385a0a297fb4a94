"""A callback that breaks one rank, as a full disk or a bad driver would."""

import pytorch_lightning as pl


class OneRankRaises(pl.Callback):
    """Raises on one rank before its second batch; on none for a rank that does not exist."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_rank == self.rank and batch_idx == 1:
            raise ZeroDivisionError("one rank broke")
