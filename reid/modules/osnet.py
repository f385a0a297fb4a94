"""OSNet: the shared loop as it is; its frozen start is a callback."""

from reid.modules.reid import ReIDModule


class OSNetModule(ReIDModule):
    """Omni-scale features (Zhou et al., ICCV 2019), taught by identity and, on request, by triplets."""

    def taught_by(self) -> dict[str, set[str]]:
        return {"classifier": {"identity"}}
