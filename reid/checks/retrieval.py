"""The test: whether queries can find anything in the gallery, and whether the two are not exchanged."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from reid.checks.finding import Finding, part_of, some
from reid.datasets.records import Benchmark, Counts, Record
from reid.datasets.verify import Numbers, differences, what_differs

UNKNOWN = -1  # camera, which is never the query's own
SameCamera = Literal["exclude", "keep"]


def check_counts(benchmark: Benchmark, counts: Numbers) -> Iterator[Finding]:
    """Lists that are not as large as published, or bear one another's name."""
    sides = {part: counts[part] for part in ("query", "gallery") if part in counts}
    exchanged = replace(benchmark, query=benchmark.gallery, gallery=benchmark.query)
    query, gallery = Counts.of(benchmark.query), Counts.of(benchmark.gallery)
    sizes = f"query has {query.images:,} images and gallery {gallery.images:,}"
    if differences(benchmark, sides) and not differences(exchanged, sides):
        yield Finding(
            "error",
            "query-and-gallery-swapped",
            f"{sizes}, published are the same numbers the other way round. Exchange their folders or lists.",
            some([*benchmark.query[:1], *benchmark.gallery[:1]]),
        )
        benchmark = exchanged
    elif query.images > gallery.images > 0:
        yield Finding(
            "warning",
            "query-larger-than-gallery",
            f"{sizes}, as {benchmark.query[0].path} and {benchmark.gallery[0].path}: are the two swapped? If"
            " so, exchange their folders or lists.",
            some([benchmark.query[0], benchmark.gallery[0]]),
        )
    if fault := what_differs(benchmark, counts):
        yield Finding("error", "counts-differ", fault)


def check_retrieval(benchmark: Benchmark, *, same_camera: SameCamera) -> Iterator[Finding]:
    """Queries that no gallery image can match, and why; images whose camera is not known.

    Args:
        benchmark: as read.
        same_camera: "exclude" leaves out gallery images of the query's own identity and known camera.
    """
    query, test = benchmark.query, [*benchmark.query, *benchmark.gallery]
    if not query or not benchmark.gallery:
        return
    own_only, absent = lost_queries(benchmark, same_camera=same_camera)
    lost, cameras = len(own_only) + len(absent), {record.camera for record in test}
    if len(absent) == len(query):
        code, remedy = "disjoint-identities", "Take query and gallery from one benchmark"
    elif lost == len(query) and len(cameras) == 1:
        code = "one-camera"
        remedy = (
            f"Query and gallery are all by camera {cameras.pop() + 1}: see that names of files state the"
            " camera, or set evaluation.same_camera=keep"
        )
    else:
        code = "no-query-has-a-match" if lost == len(query) else "queries-without-match"
        remedy = "Such queries are not scored: put images of them by other cameras into the gallery"
    if lost:
        reasons = [
            f"{len(which):,} {reason}, as {which[0].path}"
            for which, reason in (
                (own_only, "show identities that the gallery has by the query's own camera only"),
                (absent, "show identities that the gallery does not have"),
            )
            if which
        ]
        yield Finding(
            "error" if lost == len(query) else "warning",
            code,
            f"{part_of(lost, len(query), 'queries')} have no match: {'; '.join(reasons)}. {remedy}.",
            some([*own_only[:5], *absent[:5]]),
        )
    unknown = [record for record in test if record.camera == UNKNOWN]
    if unknown and same_camera == "exclude":
        yield Finding(
            "note",
            "unknown-cameras",
            f"{part_of(len(unknown), len(test), 'test images')} are by an unknown camera, as"
            f" {unknown[0].path}: those by the query's own are not left out, which makes the test easier.",
            some(unknown),
        )


def lost_queries(benchmark: Benchmark, *, same_camera: SameCamera) -> tuple[list[Record], list[Record]]:
    """Queries whose identity the gallery has by their own camera only, and those whose it does not have."""
    seen_by: dict[int, set[int]] = {}
    for record in benchmark.gallery:
        seen_by.setdefault(record.identity, set()).add(record.camera)
    absent = [record for record in benchmark.query if record.identity not in seen_by]
    own_only = [
        record
        for record in benchmark.query
        if same_camera == "exclude"
        and record.camera != UNKNOWN
        and seen_by.get(record.identity) == {record.camera}
    ]
    return own_only, absent
