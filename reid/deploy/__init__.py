"""Trained networks outside this program: files, the runtimes that run them, and Ascend's offline flow."""

from reid.deploy.card import Card, read_card
from reid.deploy.runtimes import RuntimeNetwork, open_runtime

__all__ = ["Card", "RuntimeNetwork", "open_runtime", "read_card"]
