"""Re-identification of people and vehicles: train, evaluate, compare and ship published systems."""

__version__ = "0.1.0"
