"""Benchmarks together: several as one, or one whose training list takes in its test images."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reid.datasets.records import PARTS, Benchmark, Record

DISTRACTOR = 0  # of a union, whose identities count from 1


def join(benchmarks: Sequence[Benchmark], *, name: str) -> Benchmark:
    """The lists of all benchmarks, one behind the other; identities and cameras of each are kept apart.

    Both are numbered anew, but an unknown camera stays unknown. Attributes are left out: each benchmark
    has its own numbers for the same colours.
    """
    lists: dict[str, list[Record]] = {part: [] for part in PARTS}
    identities = cameras = 0  # so far
    for benchmark in map(numbered_apart, benchmarks):
        records = [record for part in PARTS for record in getattr(benchmark, part)]
        own = sorted({record.identity for record in records} - {benchmark.distractor})
        number = {identity: place for place, identity in enumerate(own, identities + 1)}
        number |= {} if benchmark.distractor is None else {benchmark.distractor: DISTRACTOR}
        for part in PARTS:
            lists[part] += [
                replace(
                    each,
                    identity=number[each.identity],
                    camera=each.camera + cameras * (each.camera >= 0),
                    attributes={},
                    track=None,
                )
                for each in getattr(benchmark, part)
            ]
        identities += len(own)
        cameras += 1 + max((record.camera for record in records), default=-1)
    has_distractors = any(benchmark.distractor is not None for benchmark in benchmarks)
    return Benchmark(
        name,
        lists["train"],
        lists["query"],
        lists["gallery"],
        distractor=DISTRACTOR if has_distractors else None,
    )


def train_on_all(benchmark: Benchmark) -> Benchmark:
    """The benchmark with query and gallery, less distractors, in its training list too.

    torchreid's ``combineall``. Its own query and gallery measure no generalisation any more.
    """
    benchmark = numbered_apart(benchmark)
    known = {record.path for record in benchmark.train}
    added = {  # by path, as some benchmarks have an image in query and gallery
        record.path: record
        for record in [*benchmark.query, *benchmark.gallery]
        if record.identity != benchmark.distractor and record.path not in known
    }
    return replace(benchmark, train=[*benchmark.train, *added.values()])


def with_vocabulary(benchmark: Benchmark, vocabulary: Mapping[str, Sequence[str]]) -> Benchmark:
    """The benchmark with attributes numbered as a network was taught them: by the names of their values.

    A value that the ``vocabulary`` has no name for becomes -1, unknown; an attribute not in it stays.
    """
    known = {name: values for name, values in vocabulary.items() if name in benchmark.attributes}
    if all(list(benchmark.attributes[name]) == list(values) for name, values in known.items()):
        return benchmark
    number = {
        name: [list(values).index(value) if value in values else -1 for value in benchmark.attributes[name]]
        for name, values in known.items()
    }
    train, query, gallery = (
        [
            replace(
                record,
                attributes={
                    name: number[name][value] if name in number else value
                    for name, value in record.attributes.items()
                },
            )
            for record in getattr(benchmark, part)
        ]
        for part in PARTS
    )
    attributes = {**benchmark.attributes, **known}
    return replace(benchmark, train=train, query=query, gallery=gallery, attributes=attributes)


def numbered_apart(benchmark: Benchmark) -> Benchmark:
    """The same with test identities behind those of training, where equal numbers are different people."""
    if benchmark.one_numbering:
        return benchmark
    behind = 1 + max((record.identity for record in benchmark.train), default=-1)
    query, gallery = (
        [replace(record, identity=record.identity + behind) for record in records]
        for records in (benchmark.query, benchmark.gallery)
    )
    distractor = None if benchmark.distractor is None else benchmark.distractor + behind
    return replace(benchmark, query=query, gallery=gallery, distractor=distractor, one_numbering=True)
