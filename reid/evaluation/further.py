"""What a final evaluation reports on request, beside CMC and mAP of the plain ranking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from reid.contracts import Distance, Features, Labels
from reid.evaluation.blocks import affordable
from reid.evaluation.expansion import expand_queries
from reid.evaluation.metrics import COUNTS, retrieval_metrics
from reid.evaluation.pairs import JUNK
from reid.evaluation.ranking import rank
from reid.evaluation.reranking import ReRanking
from reid.evaluation.single_shot import single_shot_metrics
from reid.evaluation.verification import Verification, verify

BLOCK = 128  # queries compared at once, if memory allows


@dataclass(frozen=True)
class Further:
    """Rankings and protocols to report; what is left out, or 0, is not."""

    rerank: bool = False  # by k-reciprocal neighbours: figures named rerank_...
    reranking: Mapping[str, Any] = field(default_factory=dict)  # its k1, k2, weight and square
    query_expansion: int = 0  # gallery images in each mean: expanded_...
    single_shot: int = 0  # repeats: single_shot_...
    verification: Sequence[float] = field(default_factory=tuple)  # false positive rates: tpr_at_fpr_...

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for what no function below would say in the words of the configuration."""
        for key, number in (("query_expansion", self.query_expansion), ("single_shot", self.single_shot)):
            if not isinstance(number, int) or number < 0:
                raise ValueError(f"evaluation.{key}={number!r}: use a whole number, or 0 for none")
        rates = self.verification
        if isinstance(rates, int | float | str) or not all(0 <= float(rate) <= 1 for rate in rates):
            raise ValueError(
                f"evaluation.verification={rates!r}: use a list of rates from 0 to 1, as [1e-4,1e-3]"
            )

    @property
    def asked(self) -> list[str]:
        """What of these is to be reported, by the options' names."""
        options = ("rerank", "query_expansion", "single_shot", "verification")
        return [name for name in options if getattr(self, name)]

    def __call__(
        self,
        query: Features,
        query_labels: Labels,
        gallery: Features,
        gallery_labels: Labels,
        *,
        distance: Distance,
        ranks: Sequence[int] = (1, 5, 10, 20),
        rule: Literal["rectangle", "trapezoid"] = "rectangle",
        same_camera: Literal["exclude", "keep"] = "exclude",
        memory: int | None = None,
    ) -> tuple[dict[str, float], Verification | None]:
        """Figures by name, fractions all of them, and what a ROC curve is drawn from if it was asked for.

        Args:
            distance: smaller is closer.
            ranks, rule: as in `retrieval_metrics`.
            same_camera, memory: as in `rank`.

        Raises:
            ValueError: an option out of range, or nothing to score.
        """
        junk = gallery_labels.identity == JUNK
        labelled = (query, query_labels, gallery, gallery_labels)
        queries, images = len(query_labels), len(gallery_labels)
        block = block_within(memory, images=images, queries=queries)
        figures: dict[str, float] = {}

        def add(kind: str, metrics: Mapping[str, float]) -> None:
            figures.update({f"{kind}_{key}": value for key, value in metrics.items() if key not in COUNTS})

        def scored(query: Features, distance: Distance) -> dict[str, float]:
            found = rank(
                query,
                query_labels,
                gallery,
                gallery_labels,
                distance=distance,
                same_camera=same_camera,
                memory=memory,
            )
            return retrieval_metrics(found, ranks=ranks, rule=rule)

        if self.rerank:
            again = ReRanking(query, gallery, distance=distance, junk=junk, memory=memory, **self.reranking)
            add("rerank", scored(again.query, again))
        if self.query_expansion:
            k = self.query_expansion
            wider = expand_queries(query, gallery, distance=distance, k=k, junk=junk, block=block)
            add("expanded", scored(wider, distance))
        if self.single_shot:
            add(
                "single_shot",
                single_shot_metrics(
                    *labelled,
                    distance=distance,
                    ranks=ranks,
                    repeats=self.single_shot,
                    same_camera=same_camera,
                    block=block,
                ),
            )
        verification = None
        if self.verification:
            verification = verify(
                *labelled,
                distance=distance,
                largest_fpr=max(self.verification),
                same_camera=same_camera,
                block=block,
            )
            for fpr in self.verification:
                figures[f"tpr_at_fpr_{fpr:g}"] = verification.true_positive_rate(fpr)
        return figures, verification


def block_within(memory: int | None, *, images: int, queries: int) -> int:
    """How many queries are compared with ``images`` at once.

    Raises:
        ValueError: not one can be in ``memory`` bytes.
    """
    return BLOCK if memory is None else min(BLOCK, affordable(memory, 0, images=images, queries=queries))
