"""task=preprocess and task=postprocess: the figures of the direct way, with a tool in between."""

import csv
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from tasks.conftest import Program
from tasks.exports import checkpoint_of, kinds, sentence

KINDS = kinds()
FORMS = {
    "osnet": (1, ".txt"),
    "aligned": (0, ".bin"),
    "multitask": (0, ".bin"),
}  # number of the first output


@pytest.fixture(scope="module")
def flows(program: Program, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Of each kind the ONNX file and the folder of task=preprocess."""
    made = {}
    for name, kind in KINDS.items():
        checkpoint = checkpoint_of(kind, program, tmp_path_factory.mktemp(name))
        outcome = program.inside("task=export", f"checkpoint={checkpoint}", "task.simplify=false")
        path = outcome.folder / f"{kind.name}.onnx"
        outcome = sentence(program, kind, "task=preprocess", f"model_file={path}")
        assert outcome.status == 0, outcome.err
        made[name] = path, outcome.folder
    return made


def play_the_tool(path: Path, inputs: Path, side: str, to: Path, *, first: int, ending: str) -> Path:
    """What a 310 box does with one side: files in, a file an output out, by the file's name alone."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    folder = to / side
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text("{}")  # ais_bench leaves one
    for file in (inputs / side).iterdir():
        feeds = {}
        for number, each in enumerate(session.get_inputs()):
            own = file if number == 0 else inputs / f"{side}_{each.name}" / file.name
            feeds[each.name] = np.fromfile(own, np.float32).reshape(1, *each.shape[1:])
        for number, output in enumerate(session.run(None, feeds), first):
            target = folder / f"{file.stem}_{number}{ending}"
            if ending == ".bin":
                output.tofile(target)
            else:
                target.write_text(" ".join(f"{value:.9g}" for value in output.ravel()) + " \n")
    return folder


@pytest.mark.parametrize("name", KINDS)
def test_the_offline_way_is_the_direct_way(name: str, program: Program, flows, tmp_path: Path) -> None:
    kind, (path, inputs), (first, ending) = KINDS[name], flows[name], FORMS[name]
    form = {"first": first, "ending": ending}
    query, gallery = (play_the_tool(path, inputs, side, tmp_path, **form) for side in ("query", "gallery"))
    words = [f"task.inputs={inputs}", f"task.query={query}", f"task.gallery={gallery}"]
    outcome = sentence(program, kind, "task=postprocess", *words)
    assert outcome.status == 0, outcome.err
    found = outcome.metrics()
    wanted = sentence(program, kind, "task=evaluate", f"model_file={path}").metrics()
    keys = [key for key in wanted if key.startswith(("mAP", "mINP", "rank")) or "accuracy" in key]
    assert ("type_accuracy" in keys) == (name == "multitask")
    for key in keys:
        assert found[key] == pytest.approx(wanted[key], abs=1e-6), key
    assert found["distance"] == wanted["distance"]
    assert (outcome.folder / "plots" / "ranked_lists.png").is_file()
    assert '"title": "Overall statistical evaluation"' in (outcome.folder / "evaluation.json").read_text()
    if name != "osnet":
        return
    gone = next(gallery.glob("*_1.txt"))
    text = gone.read_text()
    gone.unlink()
    outcome = sentence(program, kind, "task=postprocess", *words)
    assert outcome.status == 1
    assert f"lacks 1 of {found['gallery']} outputs: {gone.name}" in outcome.err
    for bad, said in ((text[:100], "512"), (text.replace(" ", " x", 1), "not numbers")):
        gone.write_text(bad)
        outcome = sentence(program, kind, "task=postprocess", *words)
        assert outcome.status == 1
        assert gone.name in outcome.err
        assert said in outcome.err
    outcome = sentence(program, kind, "task=postprocess", words[0], f"task.query={tmp_path}", words[2])
    assert outcome.status == 1
    assert "give the folder of the tool's outputs" in outcome.err


def written_by_hand(picture: Path, *, height: int, width: int) -> bytes:
    """The published preprocessing, in NumPy: resize, (x / 255 - mean) / std, planes of float32."""
    image = cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB)
    values = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    mean, std = (np.array(each, np.float32) * np.float32(255) for each in CONSTANTS)
    return np.ascontiguousarray(((values - mean) / std).transpose(2, 0, 1)).tobytes()


CONSTANTS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_bins_and_info_are_byte_exact(program: Program, flows) -> None:
    inputs = flows["osnet"][1]
    (data,) = program.data.glob("pedestrians*")
    places = {"query": "query", "gallery": "bounding_box_test"}
    for side, place in places.items():
        pictures = sorted(path for path in (data / place).glob("*.jpg") if not path.name.startswith("-1"))
        assert {path.name for path in (inputs / side).iterdir()} == {f"{each.stem}.bin" for each in pictures}
        for picture in pictures:
            assert (inputs / side / f"{picture.stem}.bin").read_bytes() == written_by_hand(
                picture, height=64, width=32
            )
        lines = [f"{k} {side}/{each.stem}.bin 32 64\n" for k, each in enumerate(pictures)]
        assert (inputs / f"{side}.info").read_text() == "".join(lines)


def test_several_inputs_have_folders_of_their_own(program: Program, flows) -> None:
    inputs = flows["multitask"][1]
    folders = {each.name for each in inputs.iterdir() if each.is_dir()}
    assert folders >= {"query_keypoints", "gallery_keypoints"}
    (image, *_), (points, *_) = (sorted((inputs / each).iterdir()) for each in ("query", "query_keypoints"))
    assert image.name == points.name
    assert image.stat().st_size == (3 + 36 + 13) * 32 * 32 * 4
    assert points.stat().st_size == 108 * 4
    (data,) = program.data.glob("vehicles-*-4-4-2-2")
    picture = cv2.imread(str(next(data.rglob(f"{image.stem}.jpg"))))
    with (data / "label_query.csv").open() as file:
        row = next(row for row in csv.reader(file) if row[0] == f"{image.stem}.jpg")
    told = np.array(row[-108:], np.float32).reshape(36, 3)  # x, y, confidence
    wanted = told / (picture.shape[1], picture.shape[0], 1) - 0.5
    np.testing.assert_allclose(np.fromfile(points, np.float32).reshape(36, 3), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["task=preprocess"], "task=preprocess needs one network: give checkpoint=PATH"),
        (["task=postprocess"], "needs task.inputs=DIR, task.query=DIR, task.gallery=DIR"),
        (["task=postprocess", "task.inputs=a", "task.query=b", "task.gallery=c"], "no preprocess.json in a"),
    ],
)
def test_mistakes(words: list[str], said: str, program: Program) -> None:
    outcome = sentence(program, KINDS["osnet"], *words)
    assert outcome.status == 1
    assert said in outcome.err


def test_another_benchmark_is_refused(program: Program, flows) -> None:
    folder = flows["osnet"][1]
    words = [f"task.inputs={folder}", f"task.query={folder}", f"task.gallery={folder}"]
    outcome = sentence(program, KINDS["multitask"], "task=postprocess", *words)
    assert outcome.status == 1
    assert "is not the one that task.inputs was written of (pedestrians" in outcome.err


def test_a_folder_of_another_run_is_left_alone(program: Program, flows) -> None:
    path, folder = flows["osnet"]
    outcome = sentence(
        program, KINDS["osnet"], "task=preprocess", f"model_file={path}", f"hydra.run.dir={folder}"
    )
    assert outcome.status == 1
    assert "is there already" in outcome.err
