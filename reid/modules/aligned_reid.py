"""AlignedReID++: the shared loop, and distances that look at stripes."""

from reid.contracts import Distance
from reid.evaluation import EuclideanDistance, GlobalLocalDistance, LocalDistance
from reid.modules.reid import ReIDModule


class AlignedReIDModule(ReIDModule):
    """Global and local features (Luo et al., 2019), taught by identity, triplets and aligned triplets."""

    def taught_by(self) -> dict[str, set[str]]:
        return {"classifier": {"identity"}, "bn": {"aligned"}, "conv1": {"aligned"}}

    def distances(self, *, normalize: bool = False) -> dict[str, Distance]:
        """Those of every module and the paper's tables, whose embeddings are always normalised.

        'local' aligns stripes (DMLI), 'unaligned' does not; 'global_local' is the one the paper ranks by, and
        'global_unaligned' the same without alignment.
        """
        return {
            **super().distances(normalize=normalize),
            "global": EuclideanDistance(normalize=True),
            "local": LocalDistance(),
            "unaligned": LocalDistance(unaligned=True),
            "global_local": GlobalLocalDistance(),
            "global_unaligned": GlobalLocalDistance(unaligned=True),
        }
