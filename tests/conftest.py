"""One thread a test process: the suite runs on several, and small tensors gain nothing from more."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("WANDB_MODE", "offline")
