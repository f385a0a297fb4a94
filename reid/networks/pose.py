"""PoseEstNet: HRNet that draws a heat map for each of a vehicle's 36 keypoints.

Tang et al., "PAMTRI" (ICCV 2019), section 3.1; the names are those of PAMTRI's weights.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from reid.datasets.keypoints import KEYPOINTS
from reid.networks.hrnet import MODULES, HRNet

IMAGENET = "incre_modules."  # what HRNet's classifier of ImageNet has behind its branches
MINDSPORE = {"transition2.0.": "transition2.2.", "transition3.0.": "transition3.3."}
STRIDE = 4  # pixels of an image a pixel of its heat maps


class PoseEstNet(HRNet):
    """(B, 3, H, W) to heat maps (B, 36, H / 4, W / 4), whose pixel x lies on the image's pixel 4 x.

    Args:
        width: channels of the largest branch; published is 32.
        modules: exchanges of the second, third and fourth stage.
        keypoints: heat maps.
    """

    TRUNK = ("conv1.", "bn1.", "conv2.", "bn2.", "layer1.", "transition", "stage")

    def __init__(
        self, width: int = 32, *, modules: Sequence[int] = MODULES, keypoints: int = len(KEYPOINTS)
    ) -> None:
        super().__init__(width, modules=modules, outputs=1)
        self.final_layer = nn.Conv2d(width, keypoints, 1)
        for module in self.modules():  # norms are 1 and 0 already
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.001)
        assert self.final_layer.bias is not None
        nn.init.zeros_(self.final_layer.bias)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[2:]
        if height % 32 or width % 32:
            raise ValueError(
                f"an image of {height} x {width} pixels: HRNet halves it five times, use multiples of 32 for"
                " data.image_size"
            )
        largest = self.maps(image)[0]  # (B, width, H / 4, W / 4)
        heatmaps: Tensor = self.final_layer(largest)  # (B, 36, H / 4, W / 4)
        return heatmaps

    def from_published(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """By our names: the trunk of an ImageNet classifier; MindSpore numbers new branches from 0."""
        if any(name.startswith(IMAGENET) for name in weights):  # whose last exchange leaves all branches
            ours = self.state_dict()
            return {
                name: weight
                for name, weight in weights.items()
                if name.startswith(self.TRUNK) and (name in ours or ".fuse_layers." not in name)
            }
        renamed: dict[str, Tensor] = {}
        for name, weight in weights.items():
            theirs = next((each for each in MINDSPORE if name.startswith(each)), "")
            renamed[MINDSPORE.get(theirs, "") + name.removeprefix(theirs)] = weight
        return renamed
