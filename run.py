"""Compose the configuration and run the task that it names."""

import os

import hydra
from omegaconf import DictConfig

from reid.job import is_swept, needs_isolation, run_in_place, run_isolated
from reid.launch import prepare


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(config: DictConfig) -> float | None:
    """Return the task's objective (mAP), which Hydra's sweepers read."""
    if needs_isolation():
        return run_isolated(config)
    # without CANN torch_npu keeps torch from loading; trainers on NPUs import it themselves
    os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")
    from reid.tasks import run  # here, so that `--help` does not wait for torch

    return run_in_place(config, run) if is_swept() else run(config)


if __name__ == "__main__":
    prepare()
    main()
