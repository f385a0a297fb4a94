"""All checks of a benchmark, the gravest findings first."""

from dataclasses import replace
from pathlib import Path

from reid.checks.duplicates import check_duplicates
from reid.checks.files import Look, check_files, look_at
from reid.checks.finding import LEVELS, Finding
from reid.checks.labels import check_labels
from reid.checks.retrieval import SameCamera, check_counts, check_retrieval
from reid.datasets.records import Benchmark
from reid.datasets.verify import Numbers, differences


def check(
    benchmark: Benchmark,
    *,
    counts: Numbers,
    files: bool = True,
    images_per_identity: int = 1,
    same_camera: SameCamera = "exclude",
    skip_bad: bool = False,
) -> list[Finding]:
    """What is wrong with a benchmark: errors, then warnings, then notes.

    Copies of a picture are never an error in a benchmark that is as large as published.

    Args:
        benchmark: as read.
        counts: list -> "images", "identities", "cameras" as published; what is absent is not compared.
        files: read every file too; without, only names and labels are looked at.
        images_per_identity: that a batch draws of each of its identities; 1 where batches do not care.
        same_camera: how the evaluation treats gallery images of the query's own identity and camera.
        skip_bad: bad images will be left out, which makes them warnings.
    """
    looks: dict[Path, Look] = look_at(benchmark) if files else {}
    copies = check_duplicates(benchmark, lambda record: looks.get(record.path, Look()).content or record.path)
    if counts and not differences(benchmark, counts):  # what was published so is no fault of this copy
        copies = (replace(finding, level="warning") for finding in copies)
    findings = [
        *check_counts(benchmark, counts),
        *check_labels(benchmark, images_per_identity=images_per_identity),
        *check_retrieval(benchmark, same_camera=same_camera),
        *(check_files(benchmark, looks, skip_bad=skip_bad) if files else ()),
        *copies,
    ]
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))
