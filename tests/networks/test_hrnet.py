"""PoseEstNet: the published file's size and names, its arithmetic beside an oracle, weights of others."""

from pathlib import Path

import pytest
import torch

from reid.networks.pose import PoseEstNet
from reid.weights import load_weights
from tests.oracles_hrnet import hrnet_heatmaps

LANDMARKS = {  # recipes 1.4
    "conv1.weight": (64, 3, 3, 3),
    "conv2.weight": (64, 64, 3, 3),
    "layer1.0.downsample.0.weight": (256, 64, 1, 1),
    "layer1.0.downsample.1.weight": (256,),
    "transition1.0.0.weight": (32, 256, 3, 3),
    "transition1.1.0.0.weight": (64, 256, 3, 3),
    "transition2.2.0.0.weight": (128, 64, 3, 3),
    "transition3.3.0.0.weight": (256, 128, 3, 3),
    "stage2.0.branches.1.3.conv2.weight": (64, 64, 3, 3),
    "stage2.0.fuse_layers.0.1.0.weight": (32, 64, 1, 1),
    "stage4.2.fuse_layers.0.3.1.running_var": (32,),
    "final_layer.weight": (36, 32, 1, 1),
    "final_layer.bias": (36,),
}
TRUNK = ("conv1.", "bn1.", "conv2.", "bn2.", "layer1.", "transition", "stage")


def narrow(width: int = 4, modules: tuple[int, int, int] = (1, 2, 2)) -> PoseEstNet:
    torch.manual_seed(0)
    network = PoseEstNet(width, modules=modules).eval()
    for name, value in network.state_dict().items():  # as after some training
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
        elif value.is_floating_point():
            value.normal_(0, 0.2 if value.dim() < 4 else (2 / value[0].numel()) ** 0.5)
    return network


def test_published_size_and_names() -> None:
    network = PoseEstNet()
    state = network.state_dict()
    assert sum(p.numel() for p in network.parameters()) == 28_536_740
    assert len(state) == 1_754
    assert {name: tuple(state[name].shape) for name in LANDMARKS} == LANDMARKS
    assert not [name for name in state if name.startswith("stage4.2.fuse_layers.1")]


def test_published_initial_values() -> None:
    network = PoseEstNet(8)
    convolutions = torch.cat(
        [m.weight.detach().flatten() for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    )
    assert convolutions.std() == pytest.approx(0.001, rel=0.01)
    assert abs(convolutions.mean()) < 1e-5
    assert not network.final_layer.bias.any()
    assert network.bn1.weight.eq(1).all()
    assert not network.bn1.bias.any()
    assert network.bn1.momentum == 0.1


@pytest.mark.parametrize("size", [(64, 64), (32, 96)])
def test_heatmaps_beside_an_oracle(size: tuple[int, int]) -> None:
    network = narrow()
    image = torch.randn(2, 3, *size)
    expected = hrnet_heatmaps(image, network.state_dict(), modules=(1, 2, 2))
    with torch.no_grad():
        heatmaps = network(image)
    assert heatmaps.shape == (2, 36, size[0] // 4, size[1] // 4)
    torch.testing.assert_close(heatmaps, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", [48, 32, 16])
def test_widths(width: int) -> None:
    network = PoseEstNet(width, modules=(1, 1, 1))
    assert network.transition3[3][0][0].weight.shape == (8 * width, 4 * width, 3, 3)
    assert network.final_layer.weight.shape == (36, width, 1, 1)


def test_learning_reaches_every_parameter() -> None:
    network = narrow().train()
    network(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("wrapped", [False, True])
def test_files_of_pamtri_load_whole(tmp_path: Path, wrapped: bool) -> None:
    """model_best.pth is a bare state dict; checkpoint.pth a dict with ``module.`` before its names."""
    source, target = narrow(), PoseEstNet(4, modules=(1, 2, 2))
    state = source.state_dict()
    content = (
        {
            "epoch": 210,
            "model": "pose_hrnet",
            "state_dict": {f"module.{name}": value for name, value in state.items()},
            "best_state_dict": state,
            "perf": 0.8,
            "optimizer": {"state": {}, "param_groups": []},
        }
        if wrapped
        else state
    )
    torch.save(content, tmp_path / "model.pth")
    report = load_weights(target, tmp_path / "model.pth")
    assert (len(report.left), len(report.missing)) == (0, 0)
    for name, value in target.state_dict().items():
        assert torch.equal(value, state[name]), name


def test_of_an_imagenet_file_the_trunk_is_taken(tmp_path: Path) -> None:
    """As hrnet_w32-36af842e.pth: all branches go on behind stage4, to a head of their own."""
    source, target = narrow(), PoseEstNet(4, modules=(1, 2, 2))
    trunk = {name: value for name, value in source.state_dict().items() if name.startswith(TRUNK)}
    others = {
        "stage4.1.fuse_layers.1.0.0.0.weight": torch.randn(8, 4, 3, 3),
        "incre_modules.0.0.conv1.weight": torch.randn(32, 4, 1, 1),
        "final_layer.0.weight": torch.randn(64, 32, 1, 1),
        "classifier.weight": torch.randn(1000, 64),
    }
    torch.save({**trunk, **others}, tmp_path / "hrnet.pth")
    before = target.final_layer.weight.clone()
    report = load_weights(target, tmp_path / "hrnet.pth")
    assert set(report.matched) == set(trunk)
    assert not report.left
    assert set(report.missing) == {"final_layer.weight", "final_layer.bias"}
    assert torch.equal(target.final_layer.weight, before)


def test_numbers_of_branches_as_mindspore_has_them(tmp_path: Path) -> None:
    source, target = narrow(), PoseEstNet(4, modules=(1, 2, 2))
    torch.save(
        {
            name.replace("transition2.2.", "transition2.0.").replace("transition3.3.", "transition3.0."): w
            for name, w in source.state_dict().items()
        },
        tmp_path / "pose.pth",
    )
    load_weights(target, tmp_path / "pose.pth")
    assert torch.equal(target.transition3[3][0][0].weight, source.transition3[3][0][0].weight)


def test_a_file_of_another_width_is_refused(tmp_path: Path) -> None:
    torch.save(narrow(8).state_dict(), tmp_path / "wide.pth")
    with pytest.raises(ValueError, match="not of this network"):
        load_weights(narrow(4), tmp_path / "wide.pth")


def test_mistakes_name_their_remedy() -> None:
    with pytest.raises(ValueError, match=r"100 x 64.*multiples of 32"):
        narrow()(torch.randn(1, 3, 100, 64))
    with pytest.raises(ValueError, match=r"model\.width=0"):
        PoseEstNet(0)
    with pytest.raises(ValueError, match=r"model\.modules=\[1, 4\]"):
        PoseEstNet(8, modules=(1, 4))
