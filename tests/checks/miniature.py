"""Benchmarks of some dozen drawn images in the published layouts, to be broken by tests."""

from pathlib import Path

import cv2
import numpy as np

FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
COUNTS = {
    "train": {"images": 16, "identities": 4, "cameras": 2},
    "query": {"images": 8, "identities": 4, "cameras": 2},
    "gallery": {"images": 17, "cameras": 2},
}


def draw(path: Path, *, size: tuple[int, int] = (32, 16)) -> Path:
    """Noise of (height, width), other for every path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng([*str(path).encode()]).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert cv2.imwrite(str(path), pixels)
    return path


def market1501(root: Path) -> Path:
    """Identities 1 to 4 to train, 5 to 8 to test, each before two cameras; a distractor and a box of junk."""
    for identity in range(1, 9):
        for camera in (1, 2):
            for shot in range(3):
                test = "query" if shot == 0 else "bounding_box_test"
                if identity > 4 or shot:
                    folder = test if identity > 4 else "bounding_box_train"
                    draw(root / folder / f"{identity:04d}_c{camera}s1_{shot:06d}_00.jpg")
    draw(root / "bounding_box_test" / "0000_c1s1_000000_00.jpg")
    draw(root / "bounding_box_test" / "-1_c2s1_000000_00.jpg")
    return root


def msmt17(root: Path, *, release: str = "V1") -> Path:
    """Two identities to train and three others, numbered from 0 again, to test; two cameras."""
    folders = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}[release]
    lists = {"train": ((0, 1), (0, 1)), "query": ((0, 1, 2), (0,)), "gallery": ((0, 1, 2), (1, 2))}
    for name, (identities, shots) in lists.items():
        lines = []
        for identity in identities:
            for camera in (1, 2):
                for shot in shots:
                    file = f"{identity:04d}/{identity:04d}_{shot:03d}_{camera:02d}_0303morning_0015_0.jpg"
                    draw(root / folders[name != "train"] / file)
                    lines.append(f"{file} {identity}")
        (root / f"list_{name}.txt").write_text("\n".join(lines) + "\n")
    (root / "list_val.txt").touch()
    return root
