"""Features of pictures, by a checkpoint or an exported file, for programs without Hydra."""

from reid.inference.embedder import Embedder
from reid.inference.network import read_network
from reid.inference.rows import Described

__all__ = ["Described", "Embedder", "read_network"]
