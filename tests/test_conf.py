"""Every option of every group composes and builds, found by listing conf/: a new yaml is covered at once."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import get_class, get_method, instantiate
from omegaconf import DictConfig, OmegaConf

from reid.contracts import Features
from reid.datamodules import ReIDDataModule
from reid.loading import Pipeline
from reid.modules.schedules import Constant
from reid.tasks.build import build_datamodule, build_module, model_section

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.yaml"))


@pytest.fixture(autouse=True)
def hydra_of_its_own() -> Iterator[None]:
    yield
    GlobalHydra.instance().clear()


def options(group: str) -> list[str]:
    return sorted(
        path.stem for path in (CONF / group).glob("*.yaml") if path.stem != "default" or group == "callbacks"
    )


def composed(*sentence: str) -> DictConfig:
    GlobalHydra.instance().clear()
    initialize_config_dir(
        str(CONF), version_base="1.3"
    )  # for good, as in a run: a union composes its members
    config = compose("config", ["paths.output=outputs/test", "paths.data=data", *sentence])
    OmegaConf.resolve(config)
    return config


def test_every_group_is_known_here() -> None:
    known = {"callbacks", "cluster", "data", "experiment", "logger", "model"}
    known |= {"optimizer", "platform", "schedule", "sweep", "task", "trainer", "transforms"}
    assert {path.name for path in CONF.iterdir() if path.is_dir()} == known


@pytest.mark.parametrize("name", options("task"))
def test_a_task_names_a_function(name: str) -> None:
    assert callable(get_method(composed(f"task={name}").task.run))


@pytest.mark.parametrize("name", options("sweep"))
def test_a_sweep_composes_at_each_of_its_values(name: str) -> None:
    GlobalHydra.instance().clear()
    initialize_config_dir(str(CONF), version_base="1.3")
    if name == "search":
        pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    hydra = compose("config", [f"sweep={name}"], return_hydra_config=True).hydra
    assert hydra.mode.name == "MULTIRUN"
    for key, values in hydra.sweeper.params.items():
        given = re.sub(r"^\w+\(|\)$", "", str(values)) if "tag(" not in str(values) else "1e-3"
        for value in given.split(","):
            composed("model=multitask", "data=vehicles", f"{key}={value.strip()}")


@pytest.mark.parametrize("name", [name for name in options("model") if name != "pose"])
def test_a_model_builds_and_describes_images(name: str) -> None:
    config = composed(f"model={name}", "data.num_identities=5")
    module = build_module(model_section(config))
    module.train()
    features = module(torch.randn(2, 3, 64, 32))
    assert isinstance(features, Features)
    assert features.logits is not None
    assert features.logits.shape == (2, 5)
    assert features.embedding.shape[0] == 2
    module.eval()
    assert isinstance(module(torch.randn(2, 3, 64, 32)), Features)
    assert config.model.name == name


@pytest.mark.parametrize("width", [16, 8])
def test_pose_builds_and_draws_heatmaps(width: int) -> None:
    config = composed("model=pose", f"model.width={width}", "model.modules=[1,1,1]")
    module = build_module(model_section(config))
    assert module.network.width == width
    assert module(torch.randn(2, 3, 64, 32)).shape == (2, 36, 16, 8)


@pytest.mark.parametrize("name", options("data"))
def test_a_benchmark_builds_with_its_published_counts(name: str) -> None:
    config = composed(f"data={name}", "model=osnet")
    datamodule = build_datamodule(config)
    assert datamodule.name == name
    assert config.callbacks.checkpoints.monitor == ("val/pck" if name.endswith("_pose") else "val/mAP")
    if isinstance(datamodule, ReIDDataModule) and datamodule.counts:
        assert datamodule.counts["train"]["identities"] == datamodule.num_identities
    if name == "union":
        assert [each.name for each in datamodule.of] == ["market1501", "duke"]
        assert [each.num_identities for each in datamodule.of] == [751, 702]


@pytest.mark.parametrize("name", options("optimizer"))
def test_an_optimizer_builds(name: str) -> None:
    config = composed(f"optimizer={name}")
    optimizer = instantiate(config.optimizer, _convert_="all")([torch.nn.Parameter(torch.zeros(1))])
    assert isinstance(optimizer, torch.optim.Optimizer)


@pytest.mark.parametrize("data", ["pedestrians", "market1501"])
@pytest.mark.parametrize("name", options("schedule"))
def test_a_schedule_builds_with_any_benchmark(name: str, data: str) -> None:
    assert isinstance(instantiate(composed(f"schedule={name}", f"data={data}").schedule), Constant)


@pytest.mark.parametrize("name", options("transforms"))
def test_transforms_give_images_of_the_asked_size(name: str) -> None:
    config = composed(f"transforms={name}", "data.image_size=[64, 32]")
    built = instantiate(config.transforms, _convert_="all")
    for stage in ("train", "evaluate"):
        assert built[stage] is not None
        Pipeline(built[stage], size=(64, 32))


@pytest.mark.parametrize("name", options("trainer"))
def test_a_trainer_has_the_one_shape(name: str) -> None:
    trainer = composed(f"trainer={name}").trainer
    assert {"accelerator", "strategy", "devices", "num_nodes", "precision"} <= set(trainer)
    assert trainer.num_sanity_val_steps == 0, "ranking part of a gallery says nothing"
    assert trainer.use_distributed_sampler is False, "Lightning would stride P x K batches over the ranks"


@pytest.mark.parametrize("name", options("cluster"))
def test_a_cluster_takes_its_processes_from_the_launcher(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "none": {},
        "torchrun": {"LOCAL_WORLD_SIZE": "4", "GROUP_WORLD_SIZE": "2"},
        "slurm": {"SLURM_NTASKS_PER_NODE": "4", "SLURM_NNODES": "2"},
    }[name]
    for variable, value in said.items():
        monkeypatch.setenv(variable, value)
    for kind in ("cpu", "gpu_8p", "npu_8p"):
        alone = composed(f"trainer={kind}").trainer
        trainer = composed(f"trainer={kind}", f"cluster={name}").trainer
        assert (trainer.devices, trainer.num_nodes) == ((4, 2) if said else (alone.devices, alone.num_nodes))
        assert trainer.strategy == alone.strategy


@pytest.mark.parametrize("name", options("platform"))
def test_a_platform_says_where_files_are_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ENDPOINT", "https://obs.example.org")
    storage = composed(f"platform={name}").storage
    endpoint, cache, unpack = {
        "none": (None, "~/.cache/reid", False),
        "modelarts": ("https://obs.example.org", "/cache/reid", True),
    }[name]
    assert (storage.endpoint, storage.cache, storage.unpack) == (endpoint, cache, unpack)
    assert storage.output is None


@pytest.mark.parametrize("name", options("callbacks"))
def test_callbacks_build(name: str) -> None:
    for part in composed(f"callbacks={name}").callbacks.values():
        instantiate(part, _convert_="all")


@pytest.mark.parametrize("name", options("logger"))
def test_a_logger_is_a_lightning_logger_or_none(name: str) -> None:
    logger = composed(f"logger={name}").logger or {}
    assert "_target_" not in logger or issubclass(get_class(logger["_target_"]), pl.loggers.Logger)


@pytest.mark.parametrize("name", options("experiment"))
def test_an_experiment_states_source_and_result(name: str) -> None:
    config = composed(f"experiment={name}")
    if config.published is not None:  # some recipes nobody has published figures of
        assert "source" in config.published
        assert {"mAP", "rank1", "pck"} & set(config.published)
    assert "# Source:" in (CONF / "experiment" / f"{name}.yaml").read_text()
    build_datamodule(config)
    build_module(model_section(config))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_sentence_means_what_it_meant(path: Path) -> None:
    """A golden file holds a sentence and what it must resolve to; its figures are the published recipes'."""
    golden = OmegaConf.load(path)
    config = composed(*golden.sentence)
    for key, value in golden.expect.items():
        assert OmegaConf.select(config, key) == value, key
