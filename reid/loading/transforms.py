"""Images of any size -> one uint8 batch of one size; the only file that knows albumentations' interface."""

import os
import random
from collections.abc import Iterable, Sequence
from math import sqrt
from typing import Any, NamedTuple

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # else its import asks pypi.org for news

import albumentations as A
import cv2
import numpy as np
from albumentations.core.type_definitions import Targets
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (H, W, C), or (B, H, W, C) for a batch; C = 3 is RGB

ERASED = (
    152,
    142,
    127,
)  # 255 (mean + std · mean): what the published fill .485/.456/.406 was before normalisation


CORNERS = np.array([(0, 0), (1, 0), (0, 1), (1, 1)], np.float32)  # of an image, as shares of its size


class Moved(NamedTuple):
    """``n`` transformed images, and what transforms did to places on them."""

    images: Pixels  # (n, H, W, C)
    points: NDArray[np.float32]  # (n, P, 2) x, y in pixels of the result
    geometry: NDArray[np.float32]  # (n, 2, 3) takes shares of a result's size to shares of its image's size
    sizes: NDArray[np.int64]  # (n, 2) width, height of each image as it came


class Pipeline:
    """A list of albumentations transforms, compositions included, as a function of images and a seed.

    Args:
        transforms: applied in order to ``image``, (h, w, C) uint8; they draw from the seed's generators only.
        size: (height, width) in pixels that they must leave behind.
    """

    def __init__(self, transforms: Iterable[Any], *, size: Sequence[int]) -> None:
        self.transforms = list(transforms)
        self.size = (int(size[0]), int(size[1]))
        for transform in self.transforms:
            if not isinstance(transform, A.BasicTransform | A.BaseCompose):
                raise ValueError(
                    f"{transform!r} is no albumentations transform: derive it from ImageOnlyTransform"
                )

    def __call__(self, images: Iterable[Pixels], count: int, *, seed: int) -> Pixels:
        """``count`` images of (h, w, C), each its own size, -> (count, H, W, C).

        Equal images and seeds give equal bytes. A generator of images is followed one by one.
        """
        self._seed(seed)
        batch: Pixels | None = None
        for number, image in enumerate(images):
            for transform in self.transforms:
                image = transform(image=image)["image"]
            batch = self._with(image, batch, number, count)
        assert batch is not None, "a batch has images"
        return batch

    def move(self, images: Iterable[Pixels], points: NDArray[np.float32], *, seed: int) -> Moved:
        """As a call, for images with ``points`` (n, P, 2), x and y in their pixels.

        Points go where albumentations takes keypoints: scaled by the sizes, mirrored to W - 1 - x, as PAMTRI
        moves them. ``geometry`` is that of the pixels themselves, exact for resizing, cropping and flipping.

        Raises:
            ValueError: a transform that bends images, or that keeps no keypoints.
        """
        self._seed(seed)
        count, batch = len(points), None
        moved = np.empty(points.shape, np.float32)
        geometry = np.empty((count, 2, 3), np.float32)
        sizes = np.empty((count, 2), np.int64)
        for number, image in enumerate(images):
            sizes[number] = image.shape[1], image.shape[0]
            corners, own = CORNERS * sizes[number].astype(np.float32), points[number]
            for transform in self.transforms:
                image, corners, own = step(transform, image, corners, own)
            batch = self._with(image, batch, number, count)
            moved[number] = own
            geometry[number] = back_to_shares(corners, self.size)
        assert batch is not None, "a batch has images"
        return Moved(batch, moved, geometry, sizes)

    def _seed(self, seed: int) -> None:
        numbers, choices = np.random.default_rng(seed), random.Random(seed)
        for transform in self.transforms:
            transform.set_random_state(numbers, choices)

    def _with(self, image: Pixels, batch: Pixels | None, number: int, count: int) -> Pixels:
        """The batch with one more image, at once, while the image is in the processor's cache."""
        image = self._checked(image)
        if batch is None:
            batch = np.empty((count, *image.shape), np.uint8)
        batch[number] = image
        return batch

    def _checked(self, image: Pixels) -> Pixels:
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            kind = getattr(image, "dtype", type(image).__name__)
            raise ValueError(
                f"transforms leave {kind}, not uint8: take out Normalize, ToFloat and ToTensorV2;"
                " a whole batch is normalised at once, on the device"
            )
        if image.shape[:2] != self.size:
            raise ValueError(
                f"transforms leave images of {image.shape[0]} x {image.shape[1]} pixels, data.image_size is"
                f" {self.size[0]} x {self.size[1]}: end on albumentations.Resize or RandomTranslation"
            )
        return image


def step(
    transform: Any, image: Pixels, corners: NDArray[np.float32], points: NDArray[np.float32]
) -> tuple[Pixels, NDArray[np.float32], NDArray[np.float32]]:
    """One transform of an image, of its corners (4, 2) as edges of pixels, and of points (P, 2) on it."""
    keypoints = np.zeros((4 + len(points), 5), np.float32)  # albumentations': x, y, z, angle, scale
    keypoints[:4, :2], keypoints[4:, :2] = corners, points
    out = transform(image=image, keypoints=keypoints)
    keypoints = out["keypoints"]
    if len(keypoints) != 4 + len(points):
        raise ValueError(f"{type(transform).__name__} drops keypoints: use it without guides and keypoints")
    to, points = keypoints[:4, :2].copy(), keypoints[4:, :2]
    if not np.array_equal(to, corners):
        (a, b), (c, d) = linear(corners.tolist(), to.tolist())
        if all(abs(part - round(part)) < 1e-5 for part in (a, b, c, d)) and round(a * d - b * c) in (-1, 1):
            to += (
                a + b < 0,
                c + d < 0,
            )  # pixels are turned by their numbers, W - 1 - x, their edges by W - x
    return out["image"], to, points


def back_to_shares(corners: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """(2, 3): from shares of a result of ``size`` (height, width) to shares of what had these ``corners``.

    Raises ``ValueError`` where no affine map has.
    """
    shares = [(x / size[1], y / size[0]) for x, y in corners.tolist()]
    (x, y), (right, down) = shares[0], np.subtract(shares[3], shares[2])
    if abs(shares[1][0] - x - right) * size[1] + abs(shares[1][1] - y - down) * size[0] > 0.5:
        raise ValueError(
            "guides and keypoints follow affine transforms only: take perspective and elastic ones out of"
            " data.transforms"
        )
    (a, b), (c, d) = linear(shares, CORNERS.tolist())
    return np.array([(a, b, -a * x - b * y), (c, d, -c * x - d * y)], np.float32)


def linear(before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """The linear part, two rows, of the affine map that takes the first three points before to those after.

    Plain numbers: for single images numpy's calls would take longer than everything else here.
    """
    (x0, y0), (x1, y1), (x2, y2) = before[:3]
    right, down, left, up = x1 - x0, y2 - y0, x2 - x0, y1 - y0
    area = right * down - left * up
    rows = []
    for start, first, second in zip(*after[:3], strict=True):
        one, two = first - start, second - start
        rows.append(((one * down - two * up) / area, (two * right - one * left) / area))
    return rows


class RandomTranslation(A.DualTransform):
    """Resize; or, with ``probability``, resize to ``scale`` times the size and take a window at random.

    torchreid's and AlignedReID's random 2-D translation. Any number of channels; images and keypoints.

    Args:
        height, width: of the result, in pixels.
        scale: of the larger image that the window is taken from.
        probability: of the window; otherwise a plain bilinear resize.
    """

    _targets = (Targets.IMAGE, Targets.KEYPOINTS)

    def __init__(self, height: int, width: int, *, scale: float = 1.125, probability: float = 0.5) -> None:
        super().__init__(p=1.0)
        if scale < 1:
            raise ValueError(
                f"RandomTranslation scale={scale}: a window needs an image at least as large, use 1 or more"
            )
        self.height = height
        self.width = width
        self.scale = scale
        self.probability = probability

    def get_params(self) -> dict[str, Any]:
        rows, columns = self.height, self.width
        top = left = 0
        if self.py_random.random() < self.probability:
            rows, columns = round(rows * self.scale), round(columns * self.scale)
            top = self.py_random.randint(0, rows - self.height)
            left = self.py_random.randint(0, columns - self.width)
        return {"rows": rows, "columns": columns, "top": top, "left": left}

    def apply(self, img: Pixels, rows: int, columns: int, top: int, left: int, **_: Any) -> Pixels:
        resized: Pixels = cv2.resize(img, (columns, rows), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        return resized[top : top + self.height, left : left + self.width]

    def apply_to_keypoints(
        self,
        keypoints: NDArray[Any],
        rows: int,
        columns: int,
        top: int,
        left: int,
        shape: tuple[int, ...],
        **_: Any,
    ) -> NDArray[Any]:
        """(N, 2 or more) x, y, ... in pixels."""
        moved = keypoints.copy()
        moved[:, 0] = keypoints[:, 0] * (columns / shape[1]) - left
        moved[:, 1] = keypoints[:, 1] * (rows / shape[0]) - top
        return moved


class RandomErasing(A.ImageOnlyTransform):
    """One rectangle in a single colour (Zhong et al., AAAI 2020; numbers of the torchreid recipe).

    Area and aspect are drawn anew until the rectangle is smaller than the image both ways; an image that no
    attempt fits stays whole. The default colour is the published constant, put in after normalisation there.

    Args:
        area: bounds of the rectangle's share of the image.
        aspect: bounds of height over width.
        fill: gray levels of the first channels; further channels (guides) become 0, "nothing seen".
        attempts: draws before giving up; MindSpore's AlignedReID++ has 1.
        p: probability of erasing.
    """

    def __init__(
        self,
        area: Sequence[float] = (0.02, 0.4),
        aspect: Sequence[float] = (0.3, 1 / 0.3),
        *,
        fill: Sequence[float] = ERASED,
        attempts: int = 100,
        p: float = 0.5,
    ) -> None:
        super().__init__(p=p)
        if not 0 < area[0] <= area[1] <= 1:
            raise ValueError(f"RandomErasing area={tuple(area)}: use two rising shares within 0 and 1")
        if not 0 < aspect[0] <= aspect[1]:
            raise ValueError(f"RandomErasing aspect={tuple(aspect)}: use two rising ratios above 0")
        self.area = tuple(area)
        self.aspect = tuple(aspect)
        self.fill = tuple(fill)
        self.attempts = attempts

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        rows, columns = params["shape"][:2]
        for _ in range(self.attempts):
            area = self.py_random.uniform(*self.area) * rows * columns
            aspect = self.py_random.uniform(*self.aspect)
            height, width = round(sqrt(area * aspect)), round(sqrt(area / aspect))
            if height < rows and width < columns:
                top = self.py_random.randint(0, rows - height)
                left = self.py_random.randint(0, columns - width)
                return {"window": (slice(top, top + height), slice(left, left + width))}
        return {"window": (slice(0, 0), slice(0, 0))}

    def apply(self, img: Pixels, window: tuple[slice, slice], **_: Any) -> Pixels:
        channels = img.shape[2]
        line = np.empty((window[1].stop - window[1].start, channels), np.uint8)
        line[:] = (self.fill + (0,) * channels)[:channels]
        erased = img.copy()
        erased[window] = line  # whole lines are copied several times faster than pixels
        return erased
