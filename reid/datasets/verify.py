"""Whether a benchmark on the disk is the published one, or a half-copied one."""

from collections.abc import Collection, Mapping
from dataclasses import asdict

from reid.datasets.records import Benchmark, Counts

Numbers = Mapping[str, Mapping[str, int]]  # list -> "images", "identities", "cameras" -> how many


def verify_counts(benchmark: Benchmark, expected: Numbers) -> None:
    """Compare the lists with published numbers.

    Args:
        benchmark: as read.
        expected: for "train", "query" and "gallery", any of "images", "identities" and "cameras"; what is not
            stated is not compared.

    Raises ``ValueError`` that names each difference.
    """
    if fault := what_differs(benchmark, expected):
        raise ValueError(fault)


def what_differs(benchmark: Benchmark, expected: Numbers) -> str:
    """A sentence that names each difference and the remedy; "" where there is none."""
    found = differences(benchmark, expected)
    if not found:
        return ""
    folder = benchmark.train[0].path.parents[1] if benchmark.train else "its folder"
    return (
        f"{benchmark.name} in {folder} is not the published benchmark. {'; '.join(found)}."
        " Copy it again, or set data.verify=false to use a subset."
    )


def differences(benchmark: Benchmark, expected: Numbers) -> list[str]:
    """One line for each number that is not as published."""
    found = {part: asdict(Counts.of(getattr(benchmark, part))) for part in expected}
    return unlike(found, expected)


def unlike(found: Numbers, expected: Numbers, *, at_most: Collection[str] = ()) -> list[str]:
    """One line for each number that is not the expected one; of ``at_most`` fewer are as good."""
    lines = []
    for part, numbers in expected.items():
        for kind, wanted in numbers.items():
            more = found[part][kind] - wanted
            if more > 0 or (more < 0 and kind not in at_most):
                amount = f"{-more:,} are missing" if more < 0 else f"{more:,} are too many"
                lines.append(f"{part} has {wanted + more:,} {kind}, published are {wanted:,}: {amount}")
    return lines
