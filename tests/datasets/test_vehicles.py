"""The drawn vehicles: VeRi's layout, equal bytes for equal seeds, keypoints where the picture has them."""

import errno
import json
import re
from collections import Counter, defaultdict
from dataclasses import asdict, replace
from itertools import count, pairwise
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from reid.datasets import vehicles
from reid.datasets.keypoints import COLORS, MIRRORED_KEYPOINTS, SEGMENTS, TYPES
from reid.datasets.vehicles import Sizes, draw_vehicles
from reid.datasets.vehicles.body import draw_vehicle
from reid.datasets.vehicles.cameras import CAMERAS
from reid.datasets.vehicles.fleet import Vehicle, meet_vehicle
from reid.datasets.vehicles.models import FACES, MODELS, place_keypoints
from reid.datasets.vehicles.plan import plan_shots
from reid.datasets.vehicles.shots import find_unhidden, take_picture
from reid.datasets.vehicles.view import Painter, Pinhole

SMALL = Sizes(train_identities=6, test_identities=4, passes=3, shots=2)
NAME = re.compile(r"(\d{4})_c(\d{3})_(\d{8})_(\d+)\.jpg")  # recipes: VeRi's files
PARTS = ("train", "query", "test")
FILES = {
    *(f"name_{part}.txt" for part in PARTS), *(f"label_{part}.csv" for part in PARTS),
    *(f"image_{part}" for part in PARTS), "train_label.xml", "test_label.xml", "list_color.txt",
    "list_type.txt", "gt_index.txt", "jk_index.txt", "test_track.txt", "camera_ID.txt", "annot",
    "vehicles.json",
}  # fmt: skip
Array = NDArray[np.float64]


def draw(root: Path, *, seed: int = 0, sizes: Sizes = SMALL) -> Path:
    return draw_vehicles(root, seed=seed, sizes=sizes, progress=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("small"))


def lines(path: Path) -> list[str]:
    text = path.read_text()
    assert text.endswith("\n")
    return text.splitlines()


def read_name(name: str) -> tuple[int, int]:
    match = NAME.fullmatch(name)
    assert match, name
    return int(match[1]), int(match[2])


def read_items(path: Path) -> dict[str, dict[str, str]]:
    """A label file: its bytes are parsed after the declared encoding is replaced."""
    data = path.read_bytes()
    assert b'encoding="gb2312"' in data
    root = ElementTree.fromstring(data.replace(b"gb2312", b"utf-8"))
    assert (root.tag, root.attrib) == ("TrainingImages", {"Version": "1.0"})
    (items,) = root
    assert items.tag == "Items"
    assert items.get("number") == str(len(items))
    return {item.attrib.pop("imageName"): dict(item.attrib) for item in items}


def read_table(path: Path, *, columns: int, before: int) -> dict[str, tuple[list[int], Array]]:
    """name -> what stands before the keypoints, and those (36, 3)."""
    table = {}
    for line in lines(path):
        name, *values = line.split(",")
        assert len(values) + 1 == columns
        head = [int(value) for value in values[: before - 1]]
        table[name] = head, np.array(values[before - 1 :], float).reshape(36, 3)
    return table


def test_layout_names_and_counts_are_veris(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES
    assert {path.name for path in (folder / "annot").iterdir()} == {"label_train.csv", "label_test.csv"}
    counts = {"train": 6 * 3 * 2, "query": 4 * 3, "test": 4 * 3 * 2}
    for part, number in counts.items():
        names = lines(folder / f"name_{part}.txt")
        assert len(names) == number
        assert names == sorted(path.name for path in (folder / f"image_{part}").iterdir())
        assert all(1 <= read_name(name)[1] <= 6 for name in names)
    assert lines(folder / "list_color.txt") == [f"{n} {color}" for n, color in enumerate(COLORS, 1)]
    assert lines(folder / "list_type.txt") == [f"{n} {kind}" for n, kind in enumerate(TYPES, 1)]
    assert lines(folder / "camera_ID.txt") == [f"c00{n}" for n in range(1, 7)]


def test_queries_lie_in_the_test_and_have_a_match_of_another_camera(folder: Path) -> None:
    train, query, test = (lines(folder / f"name_{part}.txt") for part in PARTS)
    assert not {read_name(name)[0] for name in train} & {read_name(name)[0] for name in test}
    assert set(query) <= set(test)
    for name in query:
        assert (folder / "image_query" / name).read_bytes() == (folder / "image_test" / name).read_bytes()
    assert Counter(map(read_name, query)) == dict.fromkeys(map(read_name, test), 1)
    cameras = defaultdict(set)
    for identity, camera in map(read_name, test):
        cameras[identity].add(camera)
    assert all(cameras[identity] - {camera} for identity, camera in map(read_name, query))


def test_one_picture_by_each_camera_is_enough(tmp_path: Path) -> None:
    drawn = draw(tmp_path, sizes=replace(SMALL, train_identities=2, test_identities=1, passes=2, shots=1))
    assert lines(drawn / "name_query.txt") == lines(drawn / "name_test.txt")
    assert lines(drawn / "gt_index.txt") == ["2", "1"]
    assert lines(drawn / "jk_index.txt") == ["1", "2"]
    assert [len(lines(drawn / "annot" / f"label_{part}.csv")) for part in ("train", "test")] == [2, 2]


def test_index_files_say_what_the_rule_says(folder: Path) -> None:
    query, test = (lines(folder / f"name_{part}.txt") for part in PARTS[1:])
    good, junk = (
        [[int(place) for place in line.split()] for line in lines(folder / f"{kind}_index.txt")]
        for kind in ("gt", "jk")
    )
    for name, same, own in zip(query, good, junk, strict=True):
        identity, camera = read_name(name)
        seen = [(place, *read_name(each)) for place, each in enumerate(test, 1)]
        assert same == [place for place, vehicle, by in seen if vehicle == identity and by != camera]
        assert own == [place for place, vehicle, by in seen if vehicle == identity and by == camera]


def test_tracks_are_the_pictures_of_a_vehicle_by_a_camera(folder: Path) -> None:
    tracks = [line.split() for line in lines(folder / "test_track.txt")]
    members = [name for _, *names in tracks for name in names]
    assert sorted(members) == lines(folder / "name_test.txt")
    owners = [{read_name(name) for name in names} for _, *names in tracks]
    assert all(len(owner) == 1 for owner in owners)
    assert len({min(owner) for owner in owners}) == len(tracks) == len({name for name, *_ in tracks}) == 4 * 3


def test_labels_agree_and_are_constant_for_a_vehicle(folder: Path) -> None:
    attributes = defaultdict(set)
    for part in PARTS:
        names = lines(folder / f"name_{part}.txt")
        table = read_table(folder / f"label_{part}.csv", columns=112, before=4)
        items = read_items(folder / ("train_label.xml" if part == "train" else "test_label.xml"))
        assert list(table) == names
        assert part == "query" or list(items) == names
        for name in names:
            identity, camera = read_name(name)
            (number, color, kind), _ = table[name]
            assert number == identity
            assert items[name] == {
                "vehicleID": f"{identity:04d}",
                "cameraID": f"c{camera:03d}",
                "colorID": str(color),
                "typeID": str(kind),
            }
            attributes[identity].add((color, kind))
    assert all(len(values) == 1 for values in attributes.values())
    assert all(
        1 <= color <= 10 and 1 <= kind <= 9 for values in attributes.values() for color, kind in values
    )


def test_tables_have_three_decimals(folder: Path) -> None:
    row = lines(folder / "label_train.csv")[0].split(",")
    assert all(re.fullmatch(r"-?\d+\.\d{3}", value) for value in row[4:])
    assert all(
        "." not in value for line in lines(folder / "annot/label_train.csv") for value in line.split(",")[1:]
    )


def test_annotations_are_of_training_pictures_and_of_disjoint_vehicles(folder: Path) -> None:
    train, test = (
        read_table(folder / "annot" / f"label_{part}.csv", columns=111, before=3)
        for part in ("train", "test")
    )
    assert sorted([*train, *test]) == lines(folder / "name_train.txt")
    owners = [{read_name(name)[0] for name in table} for table in (train, test)]
    assert not owners[0] & owners[1]
    assert len(owners[1]) == 1  # of 6: a fifth
    for name, (size, points) in {**train, **test}.items():
        height, width, _ = cv2.imread(str(folder / "image_train" / name)).shape
        assert size == [width, height]
        seen = points[points[:, 2] == 1]
        assert set(points[:, 2]) <= {0.0, 1.0}
        assert (seen[:, :2] >= 0).all()
        assert (seen[:, :2] < (width, height)).all()
        assert 10 <= len(seen) <= 30  # VeRi's own: 15 to 30, but here vehicles are at times cut


def test_predictions_are_near_the_annotations_and_surer_of_what_is_visible(folder: Path) -> None:
    predicted = read_table(folder / "label_train.csv", columns=112, before=4)
    exact = {}
    for part in ("train", "test"):
        exact |= read_table(folder / "annot" / f"label_{part}.csv", columns=111, before=3)
    guesses, truth = (np.stack([table[name][1] for name in sorted(exact)]) for table in (predicted, exact))
    assert np.abs(guesses[..., :2] - truth[..., :2]).max() <= 1.5  # below 1, and half for whole pixels
    visible = truth[..., 2] == 1
    assert guesses[visible, 2].min() >= 0.75
    assert guesses[visible, 2].max() <= 1.05
    assert 0 < (guesses[..., 2] > 1).mean() < 0.1
    assert guesses[~visible, 2].max() <= 0.5
    assert guesses[~visible, 2].min() > 0


def test_same_seed_same_bytes_and_other_seed_other_pictures(folder: Path, tmp_path: Path) -> None:
    again, other = draw(tmp_path), draw(tmp_path, seed=1)
    assert contents(again) == contents(folder)
    assert again != other
    ours, theirs = contents(folder), contents(other)
    assert ours.keys() == theirs.keys()
    assert all(theirs[file] != ours[file] for file in ours if file.endswith((".jpg", ".csv")))


def test_more_vehicles_leave_the_other_pictures_as_they_are(folder: Path, tmp_path: Path) -> None:
    more = contents(draw(tmp_path, sizes=replace(SMALL, train_identities=7, test_identities=5)))
    assert all(more[file] == data for file, data in contents(folder).items() if file.endswith(".jpg"))


def test_second_use_reuses_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vehicles, "write_pictures", lambda *_, **__: pytest.fail("drawn again"))
    assert draw(folder.parent) == folder
    assert folder.name == "vehicles-v1-seed0-6-4-3-2"
    assert json.loads((folder / "vehicles.json").read_text()) == {"version": 1, "seed": 0, **asdict(SMALL)}


@pytest.mark.parametrize(
    ("error", "match"),
    [
        (KeyboardInterrupt(), "^$"),
        (OSError(errno.ENOSPC, "No space left on device"), r"vehicles-v1.* needs \d+ MiB; free some"),
    ],
    ids=["stopped", "full"],
)
def test_an_ended_run_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, match: str
) -> None:
    write, written = Path.write_bytes, count()

    def write_or_fail(path: Path, data: bytes) -> int:
        if next(written) >= 7:
            raise error
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_or_fail)
    with pytest.raises(type(error), match=match):
        draw(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_foreign_folder_is_left_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / folder.name).mkdir()
    with pytest.raises(FileExistsError, match="rename it, or name another root"):
        draw(tmp_path)
    assert not list((tmp_path / folder.name).iterdir())


@pytest.mark.parametrize(
    "wrong", [{"passes": 1}, {"passes": 7}, {"shots": 0}, {"train_identities": 1}, {"test_identities": 751}]
)
def test_impossible_sizes_name_the_allowed_ones(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=rf"{next(iter(wrong))} is .* can be drawn with \d+ to \d+"):
        replace(SMALL, **wrong)


def test_negative_seed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="seed is -1; the benchmark can be drawn with 0 and above"):
        draw(tmp_path, seed=-1)


def test_the_default_has_all_colours_and_types_and_vehicles_that_share_both() -> None:
    shots = list(plan_shots(**asdict(Sizes())))
    assert len(shots) == (160 + 40) * 2 * 2
    assert {shot.camera for shot in shots} == set(range(6))
    for training, number in ((True, 160), (False, 40)):
        fleet = [meet_vehicle(0, n) for n in sorted({s.identity for s in shots if s.training == training})]
        assert len(fleet) == number
        assert {vehicle.color for vehicle in fleet} == set(range(1, 11))
        assert {vehicle.type for vehicle in fleet} == set(range(1, 10))
        looks = Counter((vehicle.color, vehicle.type) for vehicle in fleet)
        assert set(looks.values()) == ({1, 2} if number % 20 else {2})
        colors_of_a_type = Counter(kind for _, kind in looks)
        assert set(colors_of_a_type.values()) <= {len(looks) // 9, len(looks) // 9 + 1}
        details = {(vehicle.decals, vehicle.rim, vehicle.rim_colour, vehicle.tint) for vehicle in fleet}
        assert len(details) == number


@pytest.mark.parametrize("kind", TYPES)
def test_models_stand_on_the_road_and_are_their_own_mirror_images(kind: str) -> None:
    points = place_keypoints(MODELS[kind], (1.02, 0.97, 1.03))
    left, right = points[:18], points[18:]
    np.testing.assert_array_equal(left * (1, -1, 1), right)
    assert (left[:, 1] > 0).all()
    assert (points[:, 2] > 0).all()
    for wheel, arch in ((left[1], left[2:6]), (left[0], left[6:10])):
        assert wheel[2] == pytest.approx(MODELS[kind].wheel * 1.03)  # it touches the road
        distance = np.linalg.norm(arch - wheel, axis=1)
        np.testing.assert_allclose(distance, distance[0])
        assert all(a > b for a, b in pairwise(arch[:, 0]))
    assert left[1, 0] > 0 > left[0, 0]
    assert left[17, 0] > left[2, 0]
    assert left[10, 0] < left[9, 0]
    assert left[:, 0].max() == left[17, 0]
    assert left[13:15, 2].min() > left[[11, 12, 15, 16], 2].max()


def test_painted_faces_are_the_segments() -> None:
    glass = {"left windows": {12, 13, 14, 15}, "right windows": {30, 31, 32, 33}}
    expected = {face: set(corners) for face, corners in SEGMENTS.items()} | glass
    assert {face: set(corners) for face, corners in FACES.items()} == expected
    for face, corners in SEGMENTS.items():
        around = [set(pair) for pair in pairwise([*corners, corners[0]])]
        assert all(set(pair) in around for pair in pairwise(FACES[face]))


def oracle_project(points: Array, eye: Pinhole) -> Array:
    """Rotations about axes, one after the other: yaw away, pitch away, then x forward becomes depth."""
    cy, sy, cp, sp = np.cos(eye.yaw), np.sin(eye.yaw), np.cos(eye.pitch), np.sin(eye.pitch)
    unyaw = np.array([[cy, sy, 0], [-sy, cy, 0], [0, 0, 1]])
    unpitch = np.array([[cp, 0, -sp], [0, 1, 0], [sp, 0, cp]])
    pixels = []
    for point in points:
        forward, left, up = unpitch @ unyaw @ (point - np.array(eye.position))
        pixels.append((eye.centre[0] - eye.focal * left / forward, eye.centre[1] - eye.focal * up / forward))
    return np.array(pixels)


def look_from(azimuth: float, *, distance: float = 22.0, height: float = 6.0) -> Pinhole:
    position = distance * np.cos(azimuth), distance * np.sin(azimuth), height
    return Pinhole(position, azimuth + np.pi, np.arctan2(height - 0.7, distance), 900.0, (170.0, 120.0))


AZIMUTHS = (0.0, 0.5, 1.2, 1.9, 2.7, 3.3, -0.4, -1.4, -2.3)


def test_a_point_lies_where_a_pinhole_would_see_it() -> None:
    eye = replace(look_from(0.6), yaw=-2.4, pitch=0.31, focal=777.0, centre=(12.5, -3.0))
    points = np.random.default_rng(0).uniform(-3, 3, (20, 3))
    np.testing.assert_allclose(eye.project(points), oracle_project(points, eye), rtol=1e-12)


def test_a_camera_looks_the_same_from_a_moved_street() -> None:
    eye, origin, turn = look_from(0.6), np.array((3.0, -5.0, 0.0)), 0.7
    points = np.random.default_rng(0).uniform(-3, 3, (20, 3))
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    moved = eye.seen_from((3.0, -5.0, 0.0), turn)
    np.testing.assert_allclose(moved.project(points @ rotation.T + origin), eye.project(points))


def test_a_ray_goes_through_what_its_pixel_shows() -> None:
    eye = look_from(1.1)
    rays = eye.rays((30, 20))
    assert rays.shape == (20, 30, 3)
    np.testing.assert_allclose(eye.project(eye.position + 17 * rays[4, 9][None]), [[9, 4]], atol=1e-9)


def plain_vehicle(kind: str) -> Vehicle:
    """White, with a magenta roof and green wheels, and nothing on it."""
    some = meet_vehicle(0, 2)
    return replace(
        some,
        type=TYPES.index(kind) + 1,
        keypoints=place_keypoints(MODELS[kind]),
        wheel=MODELS[kind].wheel,
        paint=(230, 230, 230),
        cargo=(230, 0, 230),
        bumper=(230, 230, 230),
        roof=(230, 0, 230),
        rim="plate",
        rim_colour=(0, 230, 0),
        decals=(),
        stripe=None,
        glass_roof=False,
        rails=False,
        sporty=False,
        sign=None,
        spare=False,
    )


def paint(vehicle: Vehicle, eye: Pinhole) -> tuple[NDArray[np.uint8], Painter]:
    canvas = np.zeros((240, 340, 4), np.uint8)
    painter = Painter(canvas, vehicle.keypoints, eye, sun=(0.48, 0.36, 0.8), finer=1)
    draw_vehicle(painter, vehicle)
    return canvas, painter


def fit(vehicle: Vehicle, azimuth: float) -> Pinhole:
    """A camera whose picture holds the vehicle with air around it."""
    eye = look_from(azimuth, height=7.0)
    seen = oracle_project(vehicle.keypoints, eye)
    return replace(eye, focal=eye.focal * min(230 / np.ptp(seen[:, 0]), 150 / np.ptp(seen[:, 1])))


def inner(quad: Array, *, by: int) -> NDArray[np.bool_]:
    """Pixels of the picture within a polygon, ``by`` pixels away from its edge."""
    mask = np.zeros((240, 340), np.uint8)
    cv2.fillPoly(mask, [np.rint(quad).astype(np.int32)], 1)
    return cv2.erode(mask, np.ones((2 * by + 1, 2 * by + 1), np.uint8)) > 0


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("azimuth", AZIMUTHS)
def test_the_picture_is_where_the_keypoints_are(kind: str, azimuth: float) -> None:
    vehicle = plain_vehicle(kind)
    eye = fit(vehicle, azimuth)
    canvas, painter = paint(vehicle, eye)
    points = oracle_project(vehicle.keypoints, eye)
    body = np.zeros((240, 340), bool)
    for face, corners in FACES.items():
        if painter.facing[face]:
            body |= inner(points[list(corners)], by=0)
            assert (canvas[inner(points[list(corners)], by=1), 3] == 255).all(), face
    drawn = canvas[..., 3] == 255
    assert (
        drawn & ~cv2.dilate(body.astype(np.uint8), np.ones((3, 3))).astype(bool)
    ).mean() < 0.12 * drawn.mean()

    assert painter.facing["roof"]
    magenta = (canvas[..., 0] > 100) & (canvas[..., 1] < 60) & (canvas[..., 2] > 100)
    within = inner(points[[13, 14, 32, 31]], by=1)
    share = 0.6 if kind == "truck" else 0.85 if kind == "bus" else 0.97  # a cab's roof; hatches
    assert magenta[within].mean() > share
    if kind != "truck":  # whose box has the colour as well
        assert magenta[~inner(points[[13, 14, 32, 31]], by=0)].sum() < 0.08 * magenta.sum()


@pytest.mark.parametrize("kind", TYPES)
def test_wheels_turn_about_their_keypoints(kind: str) -> None:
    vehicle = plain_vehicle(kind)
    for azimuth, wheels in ((1.3, (0, 1)), (1.8, (0, 1)), (-1.3, (18, 19)), (-1.9, (18, 19))):
        eye = fit(vehicle, azimuth)
        canvas, _ = paint(vehicle, eye)
        green = (canvas[..., 1] > 1.5 * canvas[..., 0]) & (canvas[..., 1] > 80)
        for wheel in wheels:
            centre = vehicle.keypoints[wheel]
            ring = centre + vehicle.wheel * np.array(
                [(dx, 0, dz) for dx, dz in ((0.45, 0), (-0.45, 0), (0, 0.45))]
            )
            (x, y), *rim = np.rint(oracle_project(np.concatenate([centre[None], ring]), eye)).astype(int)
            assert canvas[y, x, :3].max() < 140  # the hub
            assert all(green[v, u] for u, v in rim)
            tyre = centre + np.array((0, 0, -0.85 * vehicle.wheel))
            ((u, v),) = np.rint(oracle_project(tyre[None], eye)).astype(int)
            assert canvas[v, u, :3].max() < 60


def hidden_by_body(points: Array, keypoint: int, eye: Pinhole) -> bool:
    """Whether the way from a keypoint, a little off the body, to the camera crosses one of its triangles."""
    middle = points.mean(0)
    start = points[keypoint] + 0.03 * (points[keypoint] - middle) / np.linalg.norm(points[keypoint] - middle)
    start[1] += 0.02 * np.sign(start[1])
    way = np.array(eye.position) - start
    bottom = (10, 17, 35, 28), (10, 6, 24, 28), (6, 5, 23, 24), (5, 17, 35, 23)
    for a, b, c, d in (*FACES.values(), *bottom):
        for corner, *edges in ((a, b, c), (a, c, d)):
            matrix = np.column_stack([*(points[edge] - points[corner] for edge in edges), -way])
            if abs(np.linalg.det(matrix)) > 1e-9:
                u, v, t = np.linalg.solve(matrix, start - points[corner])
                if u > 0 and v > 0 and u + v < 1 and 0 < t < 1:
                    return True
    return False


@pytest.mark.parametrize("kind", TYPES)
def test_visible_is_what_the_body_does_not_hide(kind: str) -> None:
    points = place_keypoints(MODELS[kind])
    agree = []
    for azimuth in AZIMUTHS[1:]:  # straight from ahead, sides are seen edge on
        eye = fit(plain_vehicle(kind), azimuth)
        painter = Painter(np.zeros((1, 1, 4), np.uint8), points, eye, sun=(0.0, 0.0, 1.0), finer=1)
        unhidden = find_unhidden(painter, eye.project(points))
        agree += [unhidden[k] != hidden_by_body(points, k, eye) for k in range(36)]
    assert np.mean(agree) > 0.97


@pytest.mark.parametrize("azimuth", AZIMUTHS)
def test_a_mirrored_view_swaps_left_and_right(azimuth: float) -> None:
    points = place_keypoints(MODELS["sedan"])
    seen, swapped = [], []
    for eye, found in ((look_from(azimuth), seen), (look_from(-azimuth), swapped)):
        painter = Painter(np.zeros((1, 1, 4), np.uint8), points, eye, sun=(0.0, 0.0, 1.0), finer=1)
        pixels = eye.project(points)
        found += [pixels, find_unhidden(painter, pixels)]
    partners = list(MIRRORED_KEYPOINTS)
    np.testing.assert_allclose(swapped[0][partners], (340, 0) + seen[0] * (-1, 1))
    np.testing.assert_array_equal(swapped[1][partners], seen[1])


@pytest.mark.parametrize("camera", range(6))
def test_pictures_agree_with_their_keypoints(camera: int) -> None:
    """In the photographs themselves: the roof's colour, and dark wheels and road below them."""
    assert 5 <= np.degrees(CAMERAS[camera].pitch) <= 25
    found = []
    for identity in range(2, 22, 2):
        vehicle, picture = meet_vehicle(0, identity), take_picture(0, identity, camera, 0)
        image = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert image.shape == (*picture.size[::-1], 3)
        assert 80 <= picture.size[0] <= 250
        roof = vehicle.cargo if vehicle.kind == "truck" else vehicle.roof
        strength = max(roof) - min(roof)
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.rint(picture.keypoints[[13, 14, 32, 31]]).astype(np.int32)], 1)
        if strength > 80 and picture.visible[[13, 14, 32, 31]].all() and mask.sum() > 150:
            red, green, blue = np.median(image[mask > 0], axis=0)
            found.append(abs(hue(red, green, blue) - hue(*roof)))
    assert found
    assert np.median([min(each, 360 - each) for each in found]) < 20


def hue(red: float, green: float, blue: float) -> float:
    """Degrees, after the standard formula."""
    high, low = max(red, green, blue), min(red, green, blue)
    if high == red:
        return 60 * (green - blue) / (high - low) % 360
    return 60 * ((blue - red) / (high - low) + 2 if high == green else (red - green) / (high - low) + 4)
