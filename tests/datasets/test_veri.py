"""VeRi from the release's files, from PAMTRI's, from both; and what is said about each fault."""

import logging
from pathlib import Path

import numpy as np
import pytest
from datasets.veri_miniature import QUERY, TEST, TRAIN, keypoints, write_csv, write_veri, write_xml

from reid.datasets import Benchmark, read_veri

PARTS = {"train": TRAIN, "query": QUERY, "gallery": TEST}


@pytest.mark.parametrize("wrapper", ["veri", "VeRi", "veri/VeRi_with_plate", "."])
def test_it_is_found_where_people_put_it(tmp_path: Path, wrapper: str) -> None:
    write_veri(tmp_path / wrapper)
    assert len(read_veri(tmp_path).train) == 4


@pytest.mark.parametrize(("xml", "csv"), [(True, False), (False, True), (True, True)])
def test_either_form_gives_the_same_labels(tmp_path: Path, xml: bool, csv: bool) -> None:
    benchmark = read_veri(write_veri(tmp_path, xml=xml, csv=csv))
    for part, rows in PARTS.items():
        records = getattr(benchmark, part)
        assert [(r.path.name, r.identity) for r in records] == [(name, vehicle) for name, vehicle, *_ in rows]
        assert [r.camera for r in records] == [int(name[6:9]) - 1 for name, *_ in rows]
        for record, (name, _, color, kind) in zip(records, rows, strict=True):
            assert record.attributes == {"color": color - 1, "type": kind - 1}
            if csv:
                np.testing.assert_allclose(record.keypoints, keypoints(name).astype(np.float32))
            else:
                assert record.keypoints is None
    assert benchmark.attributes["color"][0] == "yellow"
    assert benchmark.attributes["color"][9] == "black"
    assert benchmark.attributes["type"][3] == "hatchback"
    assert (len(benchmark.attributes["color"]), len(benchmark.attributes["type"])) == (10, 9)


def test_queries_lie_in_the_gallery_too(tmp_path: Path) -> None:
    benchmark = read_veri(write_veri(tmp_path))
    assert {record.path.name for record in benchmark.query} <= {
        record.path.name for record in benchmark.gallery
    }


def test_tracks_come_from_their_list(tmp_path: Path) -> None:
    benchmark = read_veri(write_veri(tmp_path))
    assert [record.track for record in benchmark.gallery] == [0, 1, 0, 2, 3]
    (tmp_path / "test_track.txt").unlink()
    assert {record.track for record in read_veri(tmp_path).gallery} == {None}


def test_a_track_of_something_else_is_named(tmp_path: Path) -> None:
    write_veri(tmp_path)
    (tmp_path / "test_track.txt").write_text("0002_c002 some words\n")
    with pytest.raises(ValueError, match=r"test_track\.txt, line 1, has 'some': expected a track's name"):
        read_veri(tmp_path)


def test_the_csv_may_be_any_subset(tmp_path: Path) -> None:
    write_veri(tmp_path, xml=False)
    write_csv(tmp_path / "label_train.csv", TRAIN[1:2])
    assert [record.path.name for record in read_veri(tmp_path).train] == [TRAIN[1][0]]


def test_a_picture_without_a_row_has_keypoints_of_confidence_0(tmp_path: Path, caplog) -> None:
    write_veri(tmp_path)
    write_csv(tmp_path / "label_train.csv", TRAIN[1:])
    with caplog.at_level(logging.WARNING):
        benchmark = read_veri(tmp_path)
    assert len(benchmark.train) == 4
    assert benchmark.train[0].keypoints.max() == 0
    assert "train: 1 of 4 images have no row in the csv" in caplog.text


def test_one_form_can_be_asked_for(tmp_path: Path) -> None:
    write_veri(tmp_path)
    write_csv(tmp_path / "label_train.csv", TRAIN[1:])
    assert len(read_veri(tmp_path, labels="csv").train) == 3
    assert len(read_veri(tmp_path, labels="xml").train) == 4
    assert read_veri(tmp_path, labels="xml").train[0].keypoints is None
    with pytest.raises(ValueError, match=r"data\.labels='json': use xml, csv, or null"):
        read_veri(tmp_path, labels="json")


def test_vehicles_3_7_and_41_of_the_first_release_are_suvs(tmp_path: Path, caplog) -> None:
    write_veri(tmp_path, csv=False)
    rows = [(name, vehicle, color, 0 if vehicle == 3 else kind) for name, vehicle, color, kind in TRAIN]
    write_xml(tmp_path / "train_label.xml", rows)
    with caplog.at_level(logging.INFO):
        benchmark = read_veri(tmp_path)
    assert [record.attributes["type"] for record in benchmark.train] == [3, 3, 1, 1]
    assert "2 images of vehicles 3, 7 and 41 have type 0" in caplog.text


def fault(folder: Path, kind: str) -> None:
    """Break a good copy."""
    if kind == "type 0":
        write_xml(folder / "train_label.xml", [(name, v, c, 0 if v == 1 else t) for name, v, c, t in TRAIN])
    elif kind == "colour 11":
        write_csv(folder / "label_test.csv", [(name, v, 11, t) for name, v, c, t in TEST])
    elif kind == "short row":
        path = folder / "label_train.csv"
        path.write_text(path.read_text().replace(",1,1,4,", ",1,4,", 1))
    elif kind == "long row":
        path = folder / "label_query.csv"
        path.write_text(path.read_text().rstrip("\n") + ",0\n")
    elif kind == "words":
        path = folder / "label_train.csv"
        path.write_text(path.read_text().replace(",1,1,4,", ",1,red,4,", 1))
    elif kind == "nan":
        path = folder / "label_train.csv"
        path.write_text(path.read_text().replace(",1,1,4,", ",1,nan,4,", 1))
    elif kind == "twice":
        write_csv(folder / "label_train.csv", [*TRAIN, TRAIN[0]])
    elif kind == "no picture":
        (folder / "image_test" / TEST[3][0]).unlink()
    elif kind == "no label":
        write_xml(folder / "test_label.xml", TEST[:-1])
    elif kind == "contradiction":
        write_csv(folder / "label_train.csv", [(name, v, 2, t) for name, v, c, t in TRAIN])
    elif kind == "identity":
        write_csv(folder / "label_train.csv", [(name, v + 1, c, t) for name, v, c, t in TRAIN])
    elif kind == "xml":
        path = folder / "train_label.xml"
        path.write_bytes(path.read_bytes()[:-40])
    elif kind == "one csv":
        (folder / "label_query.csv").unlink()
    elif kind == "no labels":
        for path in [*folder.glob("*.csv"), *folder.glob("*.xml")]:
            path.unlink()
    elif kind == "no folder":
        (folder / "image_query").rename(folder / "query")


FAULTS = {
    "type 0": ({"csv": False}, r"gives 0001_c001_00016450_0\.jpg type 0, .*1 sedan.*correct typeID"),
    "colour 11": ({"xml": False}, r"0002_c002_00030600_0\.jpg has colour 11, which is none of 1 yellow, "),
    "short row": ({"xml": False}, r"label_train\.csv, row 1, has 111 columns, as annotations .* 112 are"),
    "long row": (
        {"xml": False},
        r"label_query\.csv, row 2, has 113 columns; 112 are expected: name, ",
    ),
    "words": ({"xml": False}, r"label_train\.csv holds something other than numbers behind the names"),
    "nan": ({"xml": False}, r"label_train\.csv, row 1, holds a NaN"),
    "twice": ({"xml": False}, r"1 images twice, the first is 0001_c001_00016450_0\.jpg"),
    "no picture": ({}, r"1 of 5 listed images are not in .*image_test, the first is 0002_c004"),
    "no label": ({"csv": False}, r"test: 1 of 5 listed images have no label in the xml.*data\.labels=csv"),
    "contradiction": (
        {},
        r"xml says vehicle 1, colour 1, type 4, the csv 1, 2, 4\. Choose with",
    ),
    "identity": ({"xml": False}, r"0001_c001_00016450_0\.jpg is of vehicle 1, its label says 2"),
    "xml": ({"csv": False}, r"train_label\.xml does not read as <Item .*copy it again"),
    "one csv": ({}, r"label_query\.csv is missing in .*copy it again, or .*data\.labels=xml"),
    "no labels": ({}, r"has no labels: the release's train_label\.xml"),
    "no folder": ({}, r"image_query is missing"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_each_fault_is_named(tmp_path: Path, kind: str) -> None:
    forms, message = FAULTS[kind]
    folder = write_veri(tmp_path / "veri", **forms)
    fault(folder, kind)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_veri(tmp_path)


def test_cameras_are_unknown_where_names_tell_none(tmp_path: Path) -> None:
    """PAMTRI's synthetic vehicles."""
    write_veri(tmp_path, xml=False)
    (tmp_path / "image_train" / TRAIN[0][0]).rename(tmp_path / "image_train" / "000123.jpg")
    write_csv(tmp_path / "label_train.csv", [("000123.jpg", 9, 1, 4)])
    benchmark: Benchmark = read_veri(tmp_path)
    assert (benchmark.train[0].identity, benchmark.train[0].camera) == (9, -1)
