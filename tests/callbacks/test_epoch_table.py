"""An epoch in one line."""

from reid.callbacks.epoch_table import sentence


def test_attributes_stand_behind_the_ranks() -> None:
    row = {
        "epoch": 1,
        "train/loss": 2.5,
        "val/color_accuracy": 0.9025,
        "val/cosine/mAP": 0.1,
        "val/mAP": 0.6936,
        "val/rank1": 0.75,
        "val/type_accuracy": 0.8727,
        "seconds": 3.0,
    }
    said = "epoch   2/60  loss 2.5000  mAP 69.36 %  rank-1 75.00 %  color 90.25 %  type 87.27 %  3.0 s"
    assert sentence(row, 60) == said
