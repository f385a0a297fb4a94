"""Training: identities that the test knows too, that have too little to learn from, or that are nobody's."""

from collections.abc import Iterator, Sequence

from reid.checks.finding import Finding, part_of, some
from reid.datasets.records import PARTS, Benchmark, Record

NOTABLE = 0.1  # share of identities from which on a weakness is worth a warning
Groups = dict[int, list[Record]]


def check_labels(benchmark: Benchmark, *, images_per_identity: int = 1) -> Iterator[Finding]:
    """What the numbers of identities and cameras tell.

    Args:
        benchmark: as read.
        images_per_identity: that a batch draws of each of its identities; 1 where batches do not care.
    """
    for part in PARTS:
        if not getattr(benchmark, part):
            yield Finding("error", "empty-list", f"{part} has no image. Copy them again.")
    groups = by_identity(benchmark.train)
    nobody = {-1, benchmark.distractor}
    if benchmark.train and len(groups.keys() - nobody) < 2:
        yield Finding(
            "error",
            "one-identity",
            f"all {len(benchmark.train):,} training images show one identity, as {benchmark.train[0].path}:"
            " there is nothing to tell apart. Look at how identities stand in the names of files.",
            some(benchmark.train),
        )
    yield from check_distractors(benchmark)
    if benchmark.one_numbering:
        yield from check_overlap(benchmark, groups)
    people = {identity: own for identity, own in groups.items() if identity not in nobody}
    yield from check_depth(people, images_per_identity=images_per_identity)
    yield from check_numbering(benchmark)


def by_identity(records: Sequence[Record]) -> Groups:
    groups: Groups = {}
    for record in records:
        groups.setdefault(record.identity, []).append(record)
    return groups


def check_overlap(benchmark: Benchmark, groups: Groups) -> Iterator[Finding]:
    """Training identities that the test asks for too."""
    test = {record.identity for record in [*benchmark.query, *benchmark.gallery]}
    shared = sorted((groups.keys() & test) - {-1, benchmark.distractor})
    if shared:
        first = groups[shared[0]][0]
        yield Finding(
            "error",
            "train-identities-in-test",
            f"{part_of(len(shared), len(groups), 'training identities')} are in query or gallery too, the"
            f" first is {shared[0]} ({first.path}): figures would be of identities known from training. Take"
            " them out of one of the two, or number them apart if they are others.",
            some(groups[identity][0] for identity in shared),
        )


def check_distractors(benchmark: Benchmark) -> Iterator[Finding]:
    """Images of nobody in particular outside the gallery."""
    if benchmark.distractor is None:
        return
    for part, harm in (("train", "they would be learnt as one identity"), ("query", "they find one another")):
        records = getattr(benchmark, part)
        nobody = [record for record in records if record.identity == benchmark.distractor]
        if nobody:
            yield Finding(
                "error",
                f"distractors-in-{part}",
                f"{part_of(len(nobody), len(records), f'{part} images')} have identity"
                f" {benchmark.distractor}, the gallery's number for boxes that show nobody in particular, as"
                f" {nobody[0].path}: {harm}. Move them to the gallery.",
                some(nobody),
            )


def check_depth(people: Groups, *, images_per_identity: int) -> Iterator[Finding]:
    """Training identities with few images, or seen from one side only."""
    cameras = {record.camera for own in people.values() for record in own}
    lone = [own[0] for own in people.values() if len(own) == 1]
    few = [own[0] for own in people.values() if len(own) < images_per_identity]
    one_sided = [own[0] for own in people.values() if len(own) > 1 and len({r.camera for r in own}) == 1]
    kinds = [
        ("lone-images", lone, "have a single image", "no pair of images says what stays the same of them"),
        (
            "few-images",
            few if images_per_identity > 2 else [],
            f"have fewer than data.images_per_identity={images_per_identity} images",
            "batches repeat theirs; lower it if they are many",
        ),
        (
            "one-camera-identities",
            one_sided if cameras != {-1} else [],
            "are seen by one camera",
            "training cannot learn from them what another camera changes",
        ),
    ]
    for code, which, what, harm in kinds:
        if which:
            yield Finding(
                "warning" if len(which) >= NOTABLE * len(people) else "note",
                code,
                f"{part_of(len(which), len(people), 'training identities')} {what}, such as"
                f" {which[0].identity} ({which[0].path}): {harm}.",
                some(which),
            )


def check_numbering(benchmark: Benchmark) -> Iterator[Finding]:
    """Numbers that are missing in what is otherwise numbered throughout, perhaps with their images."""
    train, test = benchmark.train, [*benchmark.query, *benchmark.gallery]
    for records in [[*train, *test]] if benchmark.one_numbering else [train, test]:
        numbers = {record.identity for record in records} - {-1, benchmark.distractor}
        if not numbers:
            continue
        span = range(min(numbers), max(numbers) + 1)
        missing = len(span) - len(numbers)
        if 0 < missing <= NOTABLE * len(span):  # of more, gaps are the benchmark's way
            first = [number for number in span if number not in numbers][:5]
            yield Finding(
                "note",
                "numbering-gaps",
                f"{missing:,} of the identities {span.start} to {span.stop - 1} have no image:"
                f" {', '.join(map(str, first))}{' ...' if missing > len(first) else ''}. If the numbering"
                " should have no gaps, copy their images.",
            )
