"""How processes come about: who started this one, and whose files it may leave."""

import atexit
import logging
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Literal

from reid.rank_table import RankTable

CHILD = "hydra.job.name=train_ddp_process_"  # what Lightning appends for the ranks that it starts
PROGRAM = "REID_PROGRAM"  # the environment's name for run.py, which a launcher's workers do not know
JOB_OF = "REID_JOB_OF"  # ... and for the process that runs a sweep, in its jobs
PATIENCE = 3.0  # seconds that other ranks leave the first one to say what went wrong with all of them

log = logging.getLogger(__name__)


def started_by() -> Literal["torchrun", "slurm"] | None:
    """Who started all processes; None: nobody but the user, once a machine, and Lightning starts the rest."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        return "torchrun"
    if "SLURM_NTASKS" in os.environ and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        return "slurm"
    return None


def is_child() -> bool:
    """Whether Lightning started this process, on behalf of the first one of this machine."""
    return any(word.startswith(CHILD) for word in sys.argv)


def is_job() -> bool:
    """Whether this process was started for a job of a sweep."""
    return os.environ.get(JOB_OF) == str(os.getppid())


def is_first() -> bool:
    """Whether this is rank 0, by the environment: nothing is joined yet when a run folder is made."""
    name = {"torchrun": "RANK", "slurm": "SLURM_PROCID", None: "NODE_RANK"}[started_by()]
    return not is_child() and os.environ.get(name, "0") == "0"


def name_of_start() -> str:
    """What the processes of this machine share that were started together; empty: nothing is known."""
    pid = os.getppid() if is_child() or started_by() is not None else os.getpid()
    try:
        began = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]  # proc(5): starttime
    except OSError:
        return ""
    return f"{socket.gethostname()} {pid} {began}"


def prepare() -> None:
    """Before Hydra begins: other ranks than the first leave no folders and no logs, and none stays behind.

    What they write lies in a temporary folder that goes with them. The ranks that Lightning starts have their
    log in the folder of the rank that is first on their machine.
    """
    os.environ[PROGRAM] = os.path.abspath(sys.argv[0])
    sys.argv[1:] = in_our_words(sys.argv[1:])
    place_in_table(sys.argv[1:])
    for folder in values(sys.argv[1:], "sweep.resume"):
        if not Path(folder, "multirun.yaml").is_file():
            sys.exit(f"Error: sweep.resume={folder} is no folder of a sweep, as outputs/sweeps/... is")
        sys.argv.append(f"hydra.sweep.dir={folder}")
    if is_child() or is_job() or started_by() == "torchrun":
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    if is_child():
        sys.argv.append("hydra.job_logging.root.level=WARNING")
    elif not is_first():
        folder = tempfile.mkdtemp(prefix="reid-rank-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        sys.argv += [
            f"hydra.run.dir={folder}",
            f"hydra.sweep.dir={folder}",
            "hydra.output_subdir=null",
            "~hydra.job_logging.handlers.file",
            "hydra.job_logging.root.handlers=[console]",
            "hydra.job_logging.root.level=WARNING",
        ]


def in_our_words(words: list[str]) -> list[str]:
    """The command line with ModelArts's arguments in our words, if it says platform=modelarts.

    There s3:// means OBS as obs:// does. ``--checkpoint_url`` is what a training starts from, and what any
    other task reads.
    """
    if values(words, "platform") != ["modelarts"]:
        return words
    training = set(values(words, "task")) <= {"train"}
    ours = {
        "--data_url": "paths.data",
        "--train_url": "storage.output",
        "--checkpoint_url": "model.weights" if training else "checkpoint",
    }
    return [in_ours(word, ours) for word in words]


def in_ours(word: str, ours: dict[str, str]) -> str:
    """One word; an argument without a value is none at all."""
    name, _, value = word.partition("=")
    if name not in ours:
        return word
    if value.startswith("s3://"):
        value = "obs" + value.removeprefix("s3")
    return f"{ours[name]}='{value}'" if value else f"{ours[name]}=null"


def place_in_table(words: list[str]) -> None:
    """Set NODE_RANK from the rank table that the command line names, if it names a good one."""
    tables = values(words, "trainer.rank_table")
    if not tables or started_by() is not None or "NODE_RANK" in os.environ:
        return
    try:
        os.environ["NODE_RANK"] = str(RankTable.read(Path(tables[-1])).here())
    except (ValueError, OSError):
        return  # the task reads it again, and says what is wrong


def values(words: list[str], key: str) -> list[str]:
    """What the command line sets ``key`` to, null left out."""
    pairs = [word.lstrip("+").partition("=") for word in words]
    return [value.strip("'\"") for name, _, value in pairs if name == key and value != "null"]


def _end_with(parent: int) -> None:
    """End this process with the one that started it: a killed one leaves its children waiting for it."""
    while os.getppid() == parent:
        time.sleep(0.5)
    log.error(f"Error: process {parent}, which started this one, is gone; ending")
    logging.shutdown()
    os._exit(1)


def leave_the_word() -> None:
    """Wait before saying what the first rank may be about to say as well, and then ends this process."""
    if not is_first():
        time.sleep(PATIENCE)
