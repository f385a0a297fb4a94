"""Whether a benchmark on the disk is the published one, or a half-copied one."""

from collections.abc import Mapping

from reid.datasets.records import Benchmark, Counts


def verify_counts(benchmark: Benchmark, expected: Mapping[str, Mapping[str, int]]) -> None:
    """Compare the lists with published numbers.

    Args:
        benchmark: as read.
        expected: for "train", "query" and "gallery", any of "images", "identities" and "cameras"; what is not
            stated is not compared.

    Raises ``ValueError`` that names each difference.
    """
    differences = []
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
                differences.append(f"{part} has {found:,} {kind}, published are {wanted:,}: {amount}")
    if differences:
        folder = benchmark.train[0].path.parents[1] if benchmark.train else "its folder"
        raise ValueError(
            f"{benchmark.name} in {folder} is not the published benchmark. {'; '.join(differences)}."
            " Copy it again, or set data.verify=false to use a subset."
        )
