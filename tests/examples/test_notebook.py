"""The notebook of the examples runs as it stands, on a real clip or a rendered one."""

import nbformat
import pytest
from nbclient import NotebookClient

from support.environment import ROOT
from support.videos import write_video


@pytest.mark.parametrize("clip", ["rendered", pytest.param("real", marks=pytest.mark.slow)])
def test_the_notebook_runs_from_top_to_bottom(i3d_weights, tmp_path, monkeypatch, request, clip):
    if clip == "real":
        video = request.getfixturevalue("data") / "fight_surv/fight/fi028.mp4"
    else:
        video = write_video(tmp_path / "clip.mp4", 40)
    monkeypatch.setenv("VADPIPE_VIDEO", str(video))
    monkeypatch.setenv("VADPIPE_WORK", str(tmp_path / "work"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(ROOT / "examples/scores.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # nobody's pictures are committed
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    kinds = [
        {mime for output in cell.outputs if "data" in output for mime in output.data}
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    assert sum("image/png" in kind for kind in kinds) == 3  # the curve, two rules, the heat
    written = {path.name for path in (tmp_path / "work").rglob("*.*")}
    assert {"clip.scores.csv", "clip.scores.json", "clip.report.html", "clip.annotated.mp4"} <= written
