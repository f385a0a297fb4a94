"""Whether a benchmark on the disk is the published one, or a half-copied one."""

from collections.abc import Mapping

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
    lines = []
    for part, numbers in expected.items():
        counts = Counts.of(getattr(benchmark, part))
        for kind, wanted in numbers.items():
            found = getattr(counts, kind)
            if found != wanted:
                amount = (
                    f"{wanted - found:,} are missing"
                    if found < wanted
                    else f"{found - wanted:,} are too many"
                )
                lines.append(f"{part} has {found:,} {kind}, published are {wanted:,}: {amount}")
    return lines
