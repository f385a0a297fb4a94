"""What colour alone achieves: people ranked by HSV histograms; its evaluator is independent of reid."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

NAME = re.compile(r"(-?\d+)_c(\d)")


def read_labels(paths: Sequence[Path]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Identities and cameras, from names such as ``0002_c1s1_000451_03.jpg``."""
    pairs = [match.groups() for path in paths if (match := NAME.match(path.name))]
    identities, cameras = np.array(pairs, np.int64).T
    return identities, cameras


def colour_histogram(
    path: Path, *, stripes: int = 1, bins: tuple[int, int, int] = (16, 16, 8), margin: float = 0.0
) -> NDArray[np.float32]:
    """Square roots of HSV shares, stripe by stripe: their inner product is Bhattacharyya's coefficient.

    ``margin`` is cut from either side, as a share of the width, and a fifth of it from top and bottom.
    """
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2HSV)
    top, left = round(margin / 5 * picture.shape[0]), round(margin * picture.shape[1])
    picture = picture[top : picture.shape[0] - top, left : picture.shape[1] - left]
    parts = [
        cv2.calcHist([part], [0, 1, 2], None, bins, (0, 180, 0, 256, 0, 256)).ravel() / part[..., 0].size
        for part in np.array_split(picture, stripes)
    ]
    return np.sqrt(np.concatenate(parts) / stripes)


def score_ranking(distance: NDArray, query: Sequence[Path], gallery: Sequence[Path]) -> tuple[float, float]:
    """mAP and rank-1 as Market-1501 scores: no junk, no same camera, AP = mean precision at hits."""
    (query_ids, query_cameras), (gallery_ids, gallery_cameras) = read_labels(query), read_labels(gallery)
    precisions, firsts = [], []
    for row, identity, camera in zip(distance, query_ids, query_cameras, strict=True):
        counts = (gallery_ids != -1) & ~((gallery_ids == identity) & (gallery_cameras == camera))
        order = np.argsort(row[counts], kind="stable")
        ranks = np.flatnonzero(gallery_ids[counts][order] == identity) + 1
        precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
        firsts.append(ranks[0] == 1)
    return float(np.mean(precisions)), float(np.mean(firsts))


def score_histograms(query: Sequence[Path], gallery: Sequence[Path], **settings: Any) -> tuple[float, float]:
    """mAP and rank-1 of ranking by colour histograms."""
    asked, stored = (
        np.stack([colour_histogram(path, **settings) for path in paths]) for paths in (query, gallery)
    )
    return score_ranking(-asked @ stored.T, query, gallery)
