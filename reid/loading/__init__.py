"""Records -> Batches: decoding, transforms, and which images make up a batch."""

from reid.loading.images import ImageSet, planes_of, read_image, relabel, usable
from reid.loading.sampler import DrawBatchSampler, EvaluationBatchSampler, IdentitySampler, RandomSampler
from reid.loading.transforms import Pipeline, RandomErasing, RandomTranslation

__all__ = [
    "DrawBatchSampler",
    "EvaluationBatchSampler",
    "IdentitySampler",
    "ImageSet",
    "Pipeline",
    "RandomErasing",
    "RandomSampler",
    "RandomTranslation",
    "planes_of",
    "read_image",
    "relabel",
    "usable",
]
