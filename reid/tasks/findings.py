"""What an evaluation found, in a benchmark's words: ranked lists of chosen queries, and names of values."""

from collections.abc import Mapping, Sequence

import numpy as np

from reid.datasets import Benchmark, Record
from reid.evaluation import Ranking, average_precision
from reid.plots import RankedList, choose_queries

SHARE = 15  # best, typical, worst and random queries of a page


def ranked_lists(
    benchmark: Benchmark, ranking: Ranking, chosen: Mapping[str, Sequence[int]]
) -> list[RankedList]:
    """The nearest gallery images of chosen queries.

    Args:
        chosen: heading -> rows of queries.
    """
    precision = average_precision(ranking)
    lists = []
    for group, rows in chosen.items():
        for row in rows:
            query = benchmark.query[row]
            nearest = [benchmark.gallery[column] for column in ranking.top[row].tolist() if column >= 0]
            lists.append(
                RankedList(
                    title=f"identity {query.identity}",
                    query=query.path,
                    gallery=[record.path for record in nearest],
                    match=ranking.matches[row, : len(nearest)].tolist(),
                    average_precision=float(precision[row]),
                    group=group,
                    camera=camera_name(query),
                    cameras=[camera_name(record) for record in nearest],
                )
            )
    return lists


def choose_for_page(ranking: Ranking) -> dict[str, list[int]]:
    """Rows of the best, typical and worst queries, and of as many at random of the others."""
    precision = average_precision(ranking).numpy()
    chosen = choose_queries(precision, count=SHARE)
    taken = {row for rows in chosen.values() for row in rows}
    rest = [row for row in np.flatnonzero(~np.isnan(precision)).tolist() if row not in taken]
    drawn = np.random.default_rng(0).permutation(rest)[:SHARE]
    return {**chosen, "random": [int(row) for row in drawn]}


def value_names(benchmark: Benchmark, attribute: str, *, count: int) -> list[str]:
    """What the values of an attribute are called; by their numbers those that the benchmark does not know."""
    known = benchmark.attributes.get(attribute, ())
    return [str(known[k]) if k < len(known) else str(k) for k in range(count)]


def camera_name(record: Record) -> str:
    return f"cam {record.camera + 1}" if record.camera >= 0 else ""
