"""The files beside VeRi's pictures: the release's lists and labels, and PAMTRI's tables of keypoints."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from reid.datasets.keypoints import COLORS, TYPES
from reid.datasets.vehicles.cameras import CAMERAS
from reid.datasets.vehicles.fleet import Vehicle
from reid.datasets.vehicles.plan import Shot
from reid.datasets.vehicles.shots import Picture

GUESS = 6  # the second word of a seed: what a network would have said of the keypoints
Views = Mapping[Shot, Picture]


def write_labels(folder: Path, views: Views, vehicles: Mapping[int, Vehicle], *, seed: int) -> None:
    """Write every list, label and table of the benchmark into its folder."""
    train = [shot for shot in views if shot.training]
    test = [shot for shot in views if not shot.training]
    query = [shot for shot in test if shot.query]
    for part, shots in (("train", train), ("query", query), ("test", test)):
        write_lines(folder / f"name_{part}.txt", (shot.name for shot in shots))
        rows = (predict(shot, views[shot], vehicles[shot.identity], seed=seed) for shot in shots)
        write_lines(folder / f"label_{part}.csv", rows)
    for part, shots in (("train", train), ("test", test)):
        write_lines(folder / f"{part}_label.xml", list_items(shots, vehicles))
    for kind, values in (("color", COLORS), ("type", TYPES)):
        write_lines(folder / f"list_{kind}.txt", (f"{n} {value}" for n, value in enumerate(values, 1)))
    write_lines(folder / "camera_ID.txt", (f"c{number:03d}" for number in range(1, len(CAMERAS) + 1)))
    write_lines(folder / "gt_index.txt", (positions(each, test, same_camera=False) for each in query))
    write_lines(folder / "jk_index.txt", (positions(each, test, same_camera=True) for each in query))
    write_lines(folder / "test_track.txt", list_tracks(test))
    (folder / "annot").mkdir()
    order = {identity: n for n, identity in enumerate(sorted({shot.identity for shot in train}))}
    for part, fifth in (("train", False), ("test", True)):
        held = (shot for shot in train if (order[shot.identity] % 5 == 1) == fifth)
        write_lines(folder / "annot" / f"label_{part}.csv", (annotate(shot, views[shot]) for shot in held))


def write_lines(file: Path, lines: Iterable[str]) -> None:
    file.write_bytes("".join(f"{line}\n" for line in lines).encode("ascii"))


def list_items(shots: Sequence[Shot], vehicles: Mapping[int, Vehicle]) -> list[str]:
    """The release's xml; its declared encoding is the release's as well."""
    items = [
        f'    <Item imageName="{shot.name}" vehicleID="{shot.identity:04d}" cameraID="c{shot.camera + 1:03d}"'
        f' colorID="{vehicles[shot.identity].color}" typeID="{vehicles[shot.identity].type}"/>'
        for shot in shots
    ]
    head = ['<?xml version="1.0" encoding="gb2312"?>', '<TrainingImages Version="1.0">']
    return [*head, f'  <Items number="{len(items)}">', *items, "  </Items>", "</TrainingImages>"]


def positions(query: Shot, test: Sequence[Shot], *, same_camera: bool) -> str:
    """The 1-based places in the test's list of a query's vehicle, by the query's camera or by the others."""
    return " ".join(
        str(place)
        for place, shot in enumerate(test, 1)
        if shot.identity == query.identity and (shot.camera == query.camera) == same_camera
    )


def list_tracks(test: Sequence[Shot]) -> list[str]:
    """A line a vehicle and camera: the track's name, which is that of its first picture, and its pictures."""
    tracks = [
        [shot.name for shot in group] for _, group in groupby(test, lambda shot: (shot.identity, shot.camera))
    ]
    return [" ".join((names[0], *names)) for names in tracks]


def predict(shot: Shot, picture: Picture, vehicle: Vehicle, *, seed: int) -> str:
    """A row of PAMTRI's tables: nearly right keypoints with confidences, as a network gives them."""
    rng = np.random.default_rng((seed, GUESS, *shot))
    near = picture.keypoints + np.clip(rng.normal(0, 0.35, picture.keypoints.shape), -0.9, 0.9)
    sure, unsure = rng.triangular(0.75, 0.93, 1.05, 36), rng.triangular(0.03, 0.2, 0.5, 36)
    confidence = np.where(picture.visible, sure, unsure)
    points = (f"{x:.3f},{y:.3f},{c:.3f}" for (x, y), c in zip(near, confidence, strict=True))
    return ",".join((shot.name, str(shot.identity), str(vehicle.color), str(vehicle.type), *points))


def annotate(shot: Shot, picture: Picture) -> str:
    """A row of the pose annotations: whole pixels and who is visible."""
    whole = np.rint(picture.keypoints).astype(int)
    points = (f"{x},{y},{int(seen)}" for (x, y), seen in zip(whole, picture.visible, strict=True))
    return ",".join((shot.name, *map(str, picture.size), *points))
