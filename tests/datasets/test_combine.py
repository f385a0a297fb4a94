"""Benchmarks together: what was apart stays apart, and what is one person stays one."""

from pathlib import Path

from reid.datasets import Benchmark, Record, join, train_on_all, with_vocabulary


def record(name: str, identity: int, camera: int = 0) -> Record:
    return Record(Path(name), identity, camera)


def market() -> Benchmark:
    return Benchmark(
        "market",
        [record("m1", 2, 0), record("m2", 7, 5)],
        [record("m3", 3, 1)],
        [record("m4", 3, 2), record("m5", 0, 3), record("m6", 5, -1)],
        distractor=0,
    )


def msmt() -> Benchmark:
    """Training and test both count from 0, and mean different people."""
    return Benchmark(
        "msmt",
        [record("s1", 0, 0), record("s2", 1, 1)],
        [record("s3", 0, 0)],
        [record("s4", 0, 1), record("s5", 1, 2)],
        one_numbering=False,
    )


def identities(benchmark: Benchmark) -> dict[str, int]:
    records = [*benchmark.train, *benchmark.query, *benchmark.gallery]
    return {str(each.path): each.identity for each in records}


def test_a_union_keeps_people_and_cameras_apart() -> None:
    union = join([market(), msmt()], name="union")
    who = identities(union)
    assert who["m3"] == who["m4"]
    assert who["s3"] == who["s4"]
    people = [{"m1"}, {"m3", "m4"}, {"m6"}, {"m2"}, {"s1"}, {"s2"}, {"s3", "s4"}, {"s5"}]
    assert [{name for name in who if who[name] == identity} for identity in range(1, 9)] == people
    assert who["m5"] == union.distractor == 0
    assert union.one_numbering
    cameras = {str(each.path): each.camera for each in [*union.train, *union.query, *union.gallery]}
    assert cameras == {
        **{"m1": 0, "m2": 5, "m3": 1, "m4": 2, "m5": 3, "m6": -1},
        **{"s1": 6, "s2": 7, "s3": 6, "s4": 7, "s5": 8},
    }


def test_a_union_without_distractors_has_none() -> None:
    union = join([msmt(), msmt()], name="union")
    assert union.distractor is None
    assert len({each.identity for each in union.train}) == 4
    assert min(each.identity for each in [*union.train, *union.query, *union.gallery]) == 1


def test_training_on_all_takes_the_test_in() -> None:
    everything = train_on_all(market())
    assert [str(each.path) for each in everything.train] == ["m1", "m2", "m3", "m4", "m6"], "no distractor"
    assert everything.gallery == market().gallery
    assert [each.identity for each in everything.train] == [2, 7, 3, 3, 5]


def test_equal_numbers_of_different_people_stay_apart() -> None:
    everything = train_on_all(msmt())
    assert [each.identity for each in everything.train] == [0, 1, 2, 2, 3]
    assert [each.identity for each in everything.query] == [2]


def test_an_image_of_query_and_gallery_is_taken_once() -> None:
    shared = [record("a", 1), record("b", 1, 1)]
    everything = train_on_all(Benchmark("classic", [record("t", 2)], shared, shared))
    assert [str(each.path) for each in everything.train] == ["t", "a", "b"]


def test_attributes_are_numbered_by_the_names_of_a_network() -> None:
    records = [Record(Path(f"{k}.jpg"), k, 0, {"color": k, "size": k}) for k in range(3)]
    names = {"color": ("blue", "red", "teal"), "size": ("s", "m", "l")}
    benchmark = Benchmark("shop", records, records[:1], records[1:], attributes=names)
    spoken = with_vocabulary(benchmark, {"color": ["red", "green", "blue"], "type": ["suv"]})
    assert [record.attributes["color"] for record in spoken.train] == [2, 0, -1]
    assert [record.attributes["size"] for record in spoken.train] == [0, 1, 2]
    assert [record.attributes["color"] for record in spoken.gallery] == [0, -1]
    assert spoken.attributes == {"color": ["red", "green", "blue"], "size": ("s", "m", "l")}
    assert with_vocabulary(benchmark, {"color": ["blue", "red", "teal"]}) is benchmark
