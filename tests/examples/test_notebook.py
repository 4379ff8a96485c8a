"""The notebooks of the examples run as they stand, on real clips or rendered ones."""

import csv
import json
import shutil

import pytest

from support.environment import ROOT
from support.videos import textured_frame, write_video

CLIPS = pytest.mark.parametrize("clips", ["rendered", pytest.param("real", marks=pytest.mark.slow)])


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Return what runs a notebook by a kernel of its own, or all but one of its cells, and returns its code cells."""
    import nbformat  # it takes longer to load than most files of tests to run, and each process collects all
    from nbclient import NotebookClient

    monkeypatch.setenv("VADPIPE_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))

    def run(name, without=None):
        notebook = nbformat.read(ROOT / "examples" / name, as_version=4)
        nbformat.validate(notebook)
        assert not any(cell.get("outputs") for cell in notebook.cells)  # nobody's pictures are committed
        if without is not None:
            (left_out,) = (
                cell for cell in notebook.cells if without in cell.source and cell.cell_type == "code"
            )
            notebook.cells.remove(left_out)
        NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": str(tmp_path)}}).execute()
        return [cell for cell in notebook.cells if cell.cell_type == "code"]

    return run


def shown(cells, mime):
    return [output.data[mime] for cell in cells for output in cell.outputs if mime in output.get("data", {})]


@CLIPS
def test_scores_runs_from_top_to_bottom(i3d_weights, tmp_path, monkeypatch, request, execute, clips):
    if clips == "real":
        video = request.getfixturevalue("data") / "fight_surv/fight/fi028.mp4"
    else:
        video = write_video(tmp_path / "clip.mp4", 17)
    monkeypatch.setenv("VADPIPE_VIDEO", str(video))
    # An explanation by I3D takes longer than all the rest: tests/scoring/test_explain.py has smaller networks.
    cells = execute("scores.ipynb", without=None if clips == "real" else "scorer.explain(")
    assert len(shown(cells, "image/png")) == (3 if clips == "real" else 2)  # the curve, two rules, the heat
    written = {path.name for path in (tmp_path / "work").rglob("*.*")}
    assert {"clip.scores.csv", "clip.scores.json", "clip.report.html", "clip.annotated.mp4"} <= written


def rendered_clips(folder):
    for index in range(3):
        write_video(folder / f"normal/{index}.mp4", 17 + index)
        write_video(folder / f"fight/{index}.mp4", 17 + index, frame=textured_frame)


def real_clips(folder, data):
    """Copy the first nine clips of each kind, each of a recording of its own."""
    with (data / "fight_surv/scene_groups.csv").open() as file:
        rows = list(csv.DictReader(file))
    for label in "01":
        first = {row["scene_group"]: row["file"] for row in reversed(rows) if row["label"] == label}
        for name in list(first.values())[:9]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(data / "fight_surv" / name, folder / name)


@CLIPS
def test_own_footage_goes_from_folders_to_curves(tmp_path, monkeypatch, request, execute, clips):
    """The int8 backbone is in the wheel, so that neither lane needs a download."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed (pip install 'vadpipe[cpu]')")
    if clips == "real":
        real_clips(tmp_path / "videos", request.getfixturevalue("data"))
    else:
        rendered_clips(tmp_path / "videos")
        monkeypatch.setenv("VADPIPE_STEPS", "20")
    monkeypatch.setenv("VADPIPE_VIDEOS", str(tmp_path / "videos"))
    cells = execute("own_footage.ipynb")

    n_clips = len(list((tmp_path / "videos").rglob("*.mp4")))
    metrics = json.loads((tmp_path / "work/evaluation/metrics.json").read_text())
    assert metrics["counts"]["n_videos"] == n_clips // 3
    assert metrics["counts"]["n_abnormal"] == n_clips // 6
    for suffix in (".png", ".scores.csv", ".events.csv"):
        assert len(list((tmp_path / "work/scores").rglob(f"*{suffix}"))) == n_clips // 3
    assert len(shown(cells, "image/png")) == 1
    html = shown(cells, "text/html")
    assert sum("data:image/png;base64," in page for page in html) == 3  # evaluation, comparison, curve
    assert (tmp_path / "work/comparison/comparison.html").is_file()
    assert sum("<table" in page for page in html) >= 3
    if clips == "real":  # eighteen clips say little, but not nothing
        assert metrics["figures"]["auc"]["value"] > 0.5
