"""AlignedReID++: the shared loop, and distances that look at stripes."""

from reid.contracts import Distance
from reid.evaluation import stripe_distances
from reid.modules.reid import ReIDModule


class AlignedReIDModule(ReIDModule):
    """Global and local features (Luo et al., 2019), taught by identity, triplets and aligned triplets."""

    def taught_by(self) -> dict[str, set[str]]:
        return {"classifier": {"identity"}, "bn": {"aligned"}, "conv1": {"aligned"}}

    def distances(self, *, normalize: bool = False) -> dict[str, Distance]:
        """Those of every module, and those that look at stripes."""
        return super().distances(normalize=normalize) | stripe_distances()
