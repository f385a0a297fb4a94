"""Training on NPUs through run.py: precisions, architectures, one process and several, a killed rank."""

import os
import re
import signal
import time
from pathlib import Path

import pytest
import torch

from reid.checkpoint import network_weights, read_checkpoint

pytestmark = pytest.mark.npu
VEHICLES = [
    "model=multitask",
    "data=vehicles",
    "data.drawing={train_identities: 8, test_identities: 4, passes: 2, shots: 2}",
    "data.image_size=[32, 32]",
    "data.batch_size=8",
    "data.images_per_identity=2",
    "data.evaluation_batch_size=8",
]
SAME_STEP = [
    "trainer.precision=32-true",
    "transforms.train=${transforms.evaluate}",  # augmentation is seeded by rank
    "optimizer=sgd",
    "optimizer.lr=0.1",
    "optimizer.momentum=0",
    "schedule=constant",
    "schedule.warmup_epochs=0",
]


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return network_weights(read_checkpoint(folder / "checkpoints" / "last.ckpt"))


def test_a_checkpoint_of_an_npu_evaluates_on_the_cpu_and_one_of_the_cpu_on_an_npu(npu, cpu, trained) -> None:
    """TORCH_NPU_FALLBACK_CPU_DISABLE is set: no operator of OSNet's training fell back to the CPU."""
    assert "1 x npu, 16-mixed" in trained.err + trained.out
    saved = read_checkpoint(trained.folder / "checkpoints" / "best.ckpt")
    assert {value.device.type for value in network_weights(saved).values()} == {"cpu"}
    assert any("npu" in state for state in saved["callbacks"].values()), "the random state of the NPU"
    words = ["task=evaluate", f"checkpoint={trained.folder}/checkpoints/best.ckpt"]
    there = npu(*words, "trainer=npu", "trainer.precision=32-true")
    here = cpu.inside(*words)
    assert (there.status, here.status) == (0, 0), there.err + here.err
    assert here.metrics()["mAP"] == pytest.approx(there.metrics()["mAP"], abs=1e-6)
    back = cpu.inside("check=none", "trainer.max_epochs=1")
    assert back.status == 0, back.err
    checkpoint = f"checkpoint={back.folder}/checkpoints/best.ckpt"
    again = npu("task=evaluate", checkpoint, "trainer=npu", "trainer.precision=32-true")
    assert again.status == 0, again.err
    assert again.metrics()["mAP"] == pytest.approx(back.metrics()["mAP"], abs=1e-6)


def test_a_training_resumes_on_an_npu(npu, trained) -> None:
    words = ["trainer=npu", "trainer.precision=16-mixed", "trainer.max_epochs=2"]
    outcome = npu(*words, f"resume={trained.folder}/checkpoints/last.ckpt")
    assert outcome.status == 0, outcome.err
    assert [row["epoch"] for row in outcome.table()] == ["0", "1"]


def test_aligned_reid_trains_with_its_own_batches_and_a_static_scale(npu) -> None:
    words = ["model=aligned_reid", "trainer.precision=16-mixed", "device.loss_scale=128"]
    outcome = npu("trainer=npu", *words, "trainer.devices=[3]")
    assert outcome.status == 0, outcome.err
    scaler = read_checkpoint(outcome.folder / "checkpoints" / "last.ckpt")["NPUMixedPrecision"]
    assert scaler["scale"] == 128


def test_the_first_chips_scale_by_their_overflow_flag(npu) -> None:
    if not npu.variables:
        pytest.skip("a real machine has the chip that it has")
    outcome = npu("trainer=npu", "trainer.precision=16-mixed", NPU_SIM_NAME="Ascend910A")
    assert outcome.status == 0, outcome.err
    assert "dynamic" in read_checkpoint(outcome.folder / "checkpoints" / "last.ckpt")["NPUMixedPrecision"]


def test_two_npus_make_the_step_of_one_on_the_same_batches(npu) -> None:
    words = [*VEHICLES, "data.heatmap=true", *SAME_STEP]
    two = npu(*words, "trainer=npu_8p", "trainer.devices=2", "trainer.limit_train_batches=1", small=False)
    assert two.status == 0, two.err
    assert "2 x npu" in two.err + two.out
    accumulated = ["trainer.limit_train_batches=2", "trainer.accumulate_grad_batches=2"]
    one = npu(*words, "trainer=npu", *accumulated, small=False)
    assert one.status == 0, one.err
    learnt, wanted = weights_of(two.folder), weights_of(one.folder)
    for name in wanted:
        if "running" not in name and "num_batches" not in name:  # each device has its own statistics
            torch.testing.assert_close(learnt[name], wanted[name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.slow  # alone: eight processes beside another test outlast the time that they give one another
def test_eight_npus_with_synchronised_batch_norm_in_bfloat16(npu) -> None:
    words = ["data.batch_size=4", "trainer.precision=bf16-mixed", "trainer.sync_batchnorm=true"]
    outcome = npu("trainer=npu_8p", *words, "trainer.limit_train_batches=1")
    assert outcome.status == 0, outcome.err
    assert "8 x npu, bf16-mixed" in outcome.err + outcome.out
    assert 0 < outcome.metrics()["mAP"] <= 1
    assert outcome.metrics()["queries"] == 18


def children(pid: int) -> list[int]:
    listing = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(number) for number in listing.read_text().split()] if listing.is_file() else []


def is_rank(pid: int) -> bool:
    return b"train_ddp_process" in Path(f"/proc/{pid}/cmdline").read_bytes()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("whom", ["child", "launcher"])
def test_a_killed_rank_ends_the_job_with_a_word_and_leaves_nobody(npu, whom: str) -> None:
    process, folder = npu.start("trainer=npu_8p", "trainer.devices=2", "trainer.max_epochs=500")
    deadline = time.monotonic() + 120
    while not (folder / "checkpoints" / "last.ckpt").is_file():  # the first epoch is over
        assert time.monotonic() < deadline, process.kill()
        assert process.poll() is None, process.communicate()
        time.sleep(0.2)
    ranks = [pid for pid in children(process.pid) if is_rank(pid)]
    assert len(ranks) == 1
    started = time.monotonic()
    os.kill(ranks[0] if whom == "child" else process.pid, signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert process.returncode != 0
    while any(alive(pid) for pid in ranks) and time.monotonic() - started < 60:
        time.sleep(0.2)
    assert not any(alive(pid) for pid in ranks)
    assert re.search(r"SIGKILL|is gone", err + out), err[-2000:]
