"""What is left for the device: uint8 batches become what networks read, guides are laid over their images."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from reid.contracts import Batch

MEAN = (0.485, 0.456, 0.406)  # of ImageNet, as all published systems normalise
STD = (0.229, 0.224, 0.225)


def on_device(batch: Batch) -> Batch:
    """A loader's batch with ``image`` (B, 3 + G, H, W) float32, normalised: less traffic by far.

    Guides come behind the image's channels, normalised by the mean of its means and deviations (PAMTRI).
    """
    image = normalize(batch["image"])
    if "guides" not in batch:
        return {**batch, "image": image}
    height, width = image.shape[2:]
    guides = lay_over(batch["guides"], batch["geometry"], height=height, width=width)
    mean, deviation = level_tensors(4, image.device)
    guides = guides.sub_(mean[3]).div_(deviation[3])
    rest = {name: value for name, value in batch.items() if name not in ("guides", "geometry")}
    return {**rest, "image": torch.cat([image, guides], 1)}  # type: ignore[typeddict-item]


def normalize(image: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 with ImageNet's mean and deviation."""
    mean, deviation = level_tensors(3, image.device)
    return image.float().sub_(mean).div_(deviation).permute(0, 3, 1, 2)


def lay_over(guides: Tensor, geometry: Tensor, *, height: int, width: int) -> Tensor:
    """(B, G, h, w) uint8 -> (B, G, H, W) float32 in 0..255, as the images show them: bilinear, 0 outside.

    One interpolation for all channels does what flipping, resizing and cropping did to the image.

    Args:
        guides: planes of whole images.
        geometry: (B, 2, 3), from shares of the result's width and height to shares of the planes'.
        height, width: of the result.
    """
    ends = geometry.float()  # from [0, 1] to [-1, 1] on both sides: 2 A (x + 1) / 2 + 2 b - 1
    linear = ends[:, :, :2]
    shift = linear.sum(2, keepdim=True) + 2 * ends[:, :, 2:] - 1
    places = F.affine_grid(
        torch.cat([linear, shift], 2), [len(guides), 1, height, width], align_corners=False
    )
    planes = F.grid_sample(guides.float(), places, padding_mode="border", align_corners=False)
    inside = (places.abs() <= 1 + 1e-5).all(3)  # (B, H, W)
    return planes.mul_(inside[:, None])


def gray_levels(channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each plane, where 1 is white: ImageNet's, and for guides the means of them."""
    guides = channels - 3
    return (*MEAN, *[sum(MEAN) / 3] * guides), (*STD, *[sum(STD) / 3] * guides)


@cache
def level_tensors(channels: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The same of 0..255, sent to a device once: each copy would make it wait."""
    mean, deviation = (torch.tensor(each, device=device).mul_(255) for each in gray_levels(channels))
    return mean, deviation
