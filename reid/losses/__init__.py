"""`Features` and their `Batch` in, a scalar out; a loss carries no weight, the module that sums them does."""

from reid.losses.aligned import AlignedLoss
from reid.losses.attributes import AttributeLoss
from reid.losses.identity import IdentityLoss
from reid.losses.keypoints import KeypointLoss
from reid.losses.triplet import TripletLoss

__all__ = ["AlignedLoss", "AttributeLoss", "IdentityLoss", "KeypointLoss", "TripletLoss"]
