"""Re-identification of people and vehicles: train, evaluate, compare and ship published systems."""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`Embedder`, once it is asked for: importing reid imports nothing."""
    if name == "Embedder":
        return __import__("reid.inference", fromlist=[name]).Embedder
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
