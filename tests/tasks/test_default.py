"""README's claim about the embedded default: the model learns, and colour alone does not."""

import pytest
from histogram_baseline import score_histograms


@pytest.mark.slow
def test_the_default_reaches_its_promise_and_twice_what_colour_does(program) -> None:
    outcome = program(small=False)
    assert outcome.status == 0, outcome.err
    model = outcome.metrics()["mAP"]
    assert model >= 0.5
    assert 500_000 < (outcome.folder / "report.html").stat().st_size < 10_000_000
    folder = program.data / "pedestrians-v1-seed0"
    query = sorted((folder / "query").iterdir())
    gallery = sorted((folder / "bounding_box_test").iterdir())
    for settings in ({}, {"stripes": 6}, {"stripes": 6, "bins": (8, 4, 4), "margin": 0.31}):
        colour, _ = score_histograms(query, gallery, **settings)
        assert colour <= model / 2, settings
