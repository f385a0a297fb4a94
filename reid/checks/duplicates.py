"""One picture several times: with two labels, in training and test, or as query and its own match."""

from collections.abc import Callable, Hashable, Iterator, Sequence

from reid.checks.finding import Finding, part_of, some
from reid.datasets.records import PARTS, Benchmark, Record

Key = Callable[[Record], Hashable]  # equal for equal pictures
Same = dict[Hashable, list[Record]]


def check_duplicates(benchmark: Benchmark, key: Key) -> Iterator[Finding]:
    """Pictures that a list has twice, or that two lists have and should not.

    A query may lie in the gallery too if both say one identity and one known camera, as VeRi's do and
    CUHK03's of the classic protocol: the evaluation leaves it out.

    Args:
        benchmark: as read.
        key: the file's path, or what it holds.
    """
    train, query, gallery = (same_pictures(getattr(benchmark, part), key) for part in PARTS)
    for part, groups in zip(PARTS, (train, query, gallery), strict=True):
        yield from check_list(part, groups, total=len(getattr(benchmark, part)))
    test = {picture: own for side in (gallery, query) for picture, own in side.items()}
    yield from check_train(train, test, total=len(benchmark.train))
    yield from check_query(query, gallery, total=len(benchmark.query))


def same_pictures(records: Sequence[Record], key: Key) -> Same:
    groups: Same = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return groups


def label(record: Record) -> str:
    camera = "" if record.camera < 0 else f", camera {record.camera + 1}"
    return f"{record.path} (identity {record.identity}{camera})"


def check_list(part: str, groups: Same, *, total: int) -> Iterator[Finding]:
    """Pictures that one list has twice."""
    repeated = [group for group in groups.values() if len(group) > 1]
    two_labels = [group for group in repeated if not same_label(group)]
    copies = [group for group in repeated if same_label(group)]
    if two_labels:
        first = two_labels[0][0]
        other = next(each for each in two_labels[0] if not same_label([first, each]))
        # a few copies are noise, a list that contradicts itself is broken
        one_file = any(len({each.path for each in group}) < len(group) for group in two_labels)
        yield Finding(
            "error" if one_file else "warning",
            "contradicting-labels",
            f"{part} gives two labels to {len(two_labels):,} of its pictures, to the first {label(first)} and"
            f" {label(other)}. Keep the right one.",
            some(record for group in two_labels for record in group),
        )
    if copies:
        first, other = copies[0][:2]
        pair = "which is listed twice" if first.path == other.path else f"a copy of {first.path}"
        count = sum(len(group) - 1 for group in copies)
        yield Finding(
            "warning",
            "duplicate-images",
            f"{part_of(count, total, f'{part} images')} repeat others, the first is {other.path}, {pair}:"
            " they count twice. Keep one of each.",
            some(record for group in copies for record in group),
        )


def same_label(group: Sequence[Record]) -> bool:
    return len({(record.identity, record.camera) for record in group}) == 1


def check_train(train: Same, test: Same, *, total: int) -> Iterator[Finding]:
    """Training pictures that the test has too."""
    shared = [picture for picture in train if picture in test]
    if shared:
        first, other = train[shared[0]][0], test[shared[0]][0]
        yield Finding(
            "error",
            "train-images-in-test",
            f"{part_of(len(shared), total, 'training images')} are in query or gallery too, the first is"
            f" {label(first)} and {label(other)}: figures would be of pictures known from training. Take them"
            " out of training.",
            some(train[picture][0] for picture in shared),
        )


def check_query(query: Same, gallery: Same, *, total: int) -> Iterator[Finding]:
    """Queries that would meet themselves in the gallery."""
    pairs = [
        (one, other)
        for picture in query
        if picture in gallery
        for one in query[picture]
        for other in gallery[picture]
        if not same_label([one, other]) or one.camera < 0
    ]
    if pairs:
        one, other = pairs[0]
        yield Finding(
            "error",
            "queries-in-gallery",
            f"{part_of(len({id(one) for one, _ in pairs}), total, 'queries')} meet their own picture in the"
            f" gallery, the first is {label(one)} as {label(other)}: the nearest image would be no finding."
            " Take it out of the gallery, or give both the same identity and camera.",
            some(one for one, _ in pairs),
        )
