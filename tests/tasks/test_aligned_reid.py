"""AlignedReID++ through run.py: its losses are logged, its distances rank, its checkpoint evaluates alike."""

import pytest

WORDS = ["model=aligned_reid", "data.images_per_identity=4", "optimizer=sgd", "optimizer.momentum=0"]


def test_it_trains_and_is_ranked_by_the_sum_of_its_distances(program) -> None:
    trained = program.inside(*WORDS, "optimizer.lr=1e-3", "trainer.max_epochs=1")
    assert trained.status == 0, trained.err
    (row,) = trained.table()
    losses = [float(row[f"train/{name}"]) for name in ("identity", "triplet", "aligned")]
    assert all(value > 0 for value in losses)
    assert float(row["train/loss"]) == pytest.approx(sum(losses), rel=1e-4)
    metrics = trained.metrics()
    assert metrics["distance"] == "global_local"
    assert 0 < metrics["mAP"] <= 1
    assert 0 < metrics["global"]["mAP"] <= 1

    checkpoint = f"checkpoint={trained.folder}/checkpoints/best.ckpt"
    report = "callbacks.retrieval.report=[global,local,unaligned,euclidean,cosine]"
    again = program.inside("task=evaluate", "model=aligned_reid", checkpoint, report)
    assert again.status == 0, again.err
    for figure in ("mAP", "mINP", "rank1", "rank5", "global"):
        assert again.metrics()[figure] == metrics[figure], figure
    assert {"local", "unaligned", "euclidean", "cosine"} <= set(again.metrics())
    assert "euclidean" in again.out


@pytest.mark.parametrize("recipe", ["aligned_reid_market1501", "aligned_reid_market1501_ascend"])
def test_a_recipe_runs_two_epochs_with_dmli_and_reranking(program, recipe: str) -> None:
    words = ["data=pedestrians", "evaluation.rerank=true", "evaluation.reranking.k1=5"]
    outcome = program.inside(f"experiment={recipe}", "schedule.warmup_epochs=1", *words)
    assert outcome.status == 0, outcome.err
    assert [row["epoch"] for row in outcome.table()] == ["0", "1"]
    metrics = outcome.metrics()
    assert metrics["distance"] == "global_local"
    assert 0 < metrics["mAP"] < 1
    assert 0 < metrics["rerank_mAP"] < 1
    assert "pedestrians, global_local, re-ranked" in outcome.out
    assert "published (" in outcome.out
