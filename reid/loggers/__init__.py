"""Where figures and pictures of runs go, beside their own folders."""

from reid.loggers.wandb import WandbRun

__all__ = ["WandbRun"]
