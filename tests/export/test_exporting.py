"""An exported model: its files, its card, and that it scores as the head does."""

import hashlib
import json

import numpy as np
import pytest

import vadpipe
from support.feature_files import write_features
from support.head_settings import QUICK
from support.videos import write_video
from vadpipe.errors import FeatureError, InputError, OutputError, UsageError, WeightsError
from vadpipe.export import parity
from vadpipe.export.exporting import export_model
from vadpipe.head.checkpoint import TrainedHead

pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (pip install 'vadpipe[onnx]')")
pytest.importorskip("openvino", reason="OpenVINO is not installed (pip install 'vadpipe[cpu]')")


def test_files_and_their_digests(x3d_model):
    names = {path.name for path in x3d_model.folder.iterdir()}
    graphs = {f"{stem}{suffix}" for stem in ("backbone", "head") for suffix in (".onnx", ".xml", ".bin")}
    assert names == graphs | {"card.json", "parity.json"}
    assert {path.name for path in x3d_model.files} == names
    card = json.loads((x3d_model.folder / "card.json").read_text())
    assert card["files"] == {
        name: hashlib.sha256((x3d_model.folder / name).read_bytes()).hexdigest() for name in graphs
    }


def test_the_card_says_what_is_needed_around_the_graphs(x3d_model, x3d_head):
    card = json.loads((x3d_model.folder / "card.json").read_text())
    record = TrainedHead.load(x3d_head).record
    assert card["backbone"]["input"] == {"frames": ["clips", 4, 182, 182, 3]}
    assert card["head"]["input"] == {"features": ["snippets", "views", 2048]}
    assert card["threshold"] == record.threshold
    assert card["decoding"] == {"side_px": 182, "square": True}
    assert card["event_rule"] == {"hysteresis": 0.5, "merge_gap_s": 1.0, "min_length_s": 0.0}
    assert card["smoothing"] == {"deviation_snippets": 0.7, "where": "in the graph of the head"}
    assert card["cut"]["reach_snippets"] == 1 + 3
    assert card["record"]["recipe"] == json.loads(record.recipe.model_dump_json())
    assert [part["part"] for part in card["licences"]] == ["backbone", "head"]
    assert record.training_sha256
    assert card["record"]["training_sha256"] is None


def test_parity_covers_both_forms_on_a_clip_and_on_more_snippets_than_it_has(x3d_model):
    found = {(one.clip, one.engine) for one in x3d_model.parity.agreements}
    engines = {"onnxruntime float32", "openvino float32"}
    assert found == {(clip, engine) for clip in ("rendered clip", "noise") for engine in engines}
    assert max(one.n_snippets for one in x3d_model.parity.agreements) == 100
    assert x3d_model.parity.worst.score_error < 1e-5
    written = json.loads((x3d_model.folder / "parity.json").read_text())
    assert written["tolerance"] == 1e-3
    assert len(written["agreements"]) == len(x3d_model.parity.agreements)


@pytest.mark.parametrize("engine", ["auto", "openvino", "onnxruntime"])
def test_score_gives_the_same_curve(engine, x3d_model, scorer, tmp_path):
    clip = write_video(tmp_path / "a.mp4", 61)
    expected = scorer.score(clip)
    curve = vadpipe.score(clip, head=x3d_model.folder, engine=engine)
    np.testing.assert_allclose(curve.scores, expected.scores, atol=1e-4)
    assert curve.threshold == expected.threshold
    np.testing.assert_array_equal(curve.times_s, expected.times_s)


def test_score_takes_feature_files_and_explains(x3d_model, x3d_weights, scorer, tmp_path):
    clip = write_video(tmp_path / "a.mp4", 61)
    _, reasons = scorer.explain(clip, threshold=0.0)
    curve, others = vadpipe.Scorer(x3d_model.folder).explain(clip, threshold=0.0)
    np.testing.assert_allclose(others[0].heat, reasons[0].heat, atol=1e-4)
    settings = vadpipe.ExtractSettings(backbone="x3d_xs", weights=x3d_weights)
    vadpipe.extract_features([clip], tmp_path / "features", settings=settings)
    (file,) = (tmp_path / "features").rglob("*.safetensors")
    np.testing.assert_allclose(vadpipe.score(file, head=x3d_model.folder).scores, curve.scores, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"engine": "torch"},
            "the engine torch does not run exported models\nUse auto, openvino or onnxruntime",
        ),
        ({"precision": "int8"}, "has no int8 backbone for openvino\nUse --precision float32"),
        ({"weights": "a.pyth"}, "is an exported model, which brings its own backbone\nOmit --weights"),
        (
            {"adapt_to": "features"},
            "is an exported model, which cannot be adapted to footage\nOmit --adapt-to",
        ),
        ({"device": "cuda:0"}, "runs on the CPU, not on 'cuda:0'\nOmit --device"),
    ],
)
def test_what_an_exported_model_cannot_do_is_refused(options, message, x3d_model):
    with pytest.raises(UsageError, match=message):
        vadpipe.Scorer(x3d_model.folder, **options)


def test_other_commands_say_that_they_do_not_take_it(x3d_model):
    with pytest.raises(FeatureError, match="is an exported model, which only 'score' takes\nPass the head"):
        TrainedHead.load(x3d_model.folder)


def test_a_head_of_imported_features_is_exported_alone(tmp_path):
    recipe = {"backbone": "imported:theirs", "view": "unknown"}
    for kind in ("normal", "fight"):
        write_features(tmp_path / "features", kind, 4, **recipe)
    head = vadpipe.fit(tmp_path / "features", output=tmp_path / "head", settings=QUICK).head
    result = export_model(head, tmp_path / "model")
    assert result.card.backbone is None
    assert {one.clip for one in result.parity.agreements} == {"noise"}
    (file, *_) = sorted((tmp_path / "features").rglob("*.safetensors"))
    scores = vadpipe.score(file, head=tmp_path / "model").scores
    np.testing.assert_allclose(scores, vadpipe.score(file, head=head).scores, atol=1e-4)


def test_files_of_another_export_do_not_stay(x3d_head, x3d_weights, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/backbone-int8.xml").write_text("of another backbone")
    (tmp_path / "model/notes.txt").write_text("mine")
    export_model(x3d_head, tmp_path / "model", weights=x3d_weights)
    assert not (tmp_path / "model/backbone-int8.xml").exists()
    assert (tmp_path / "model/notes.txt").read_text() == "mine"


def test_a_model_that_scores_otherwise_is_an_error_that_says_where(x3d_model, tmp_path):
    worst = x3d_model.parity.worst
    strict = parity.Parity(x3d_model.parity.agreements, tolerance=worst.score_error / 2)
    with pytest.raises(
        FeatureError, match=f"does not score as its head does: {worst.engine} differs by up to"
    ):
        strict.check(tmp_path)
    nothing = parity.Parity((parity.Agreement("a", "b", "c", 1, 1, 0.0, 1.0, float("nan"), True),))
    with pytest.raises(FeatureError, match="differs by up to nan"):
        nothing.check(tmp_path)


def test_other_weights_than_the_heads_are_refused(x3d_head, tmp_path):
    import torch

    from vadpipe.extract.backbones.pytorchvideo import x3d

    torch.save({"model_state": x3d(depth_factor=2.2).state_dict()}, tmp_path / "other.pyth")
    with pytest.raises(WeightsError, match="the head was trained with other weights of x3d_xs"):
        export_model(x3d_head, tmp_path / "model", weights=tmp_path / "other.pyth")
    assert not (tmp_path / "model").exists()


def test_a_clip_that_is_missing_and_a_folder_that_is_a_file(x3d_head, x3d_weights, tmp_path):
    with pytest.raises(InputError, match="nothing.mp4"):
        export_model(x3d_head, tmp_path / "model", weights=x3d_weights, check=tmp_path / "nothing.mp4")
    assert not (tmp_path / "model").exists()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        export_model(x3d_head, tmp_path / "file", weights=x3d_weights)


def test_the_command_compares_on_clips_and_says_how_to_score(command_line, x3d_head, x3d_weights, tmp_path):
    clip = write_video(tmp_path / "a.mp4", 30)
    options = ["-o", tmp_path / "model", "--weights", x3d_weights, "--check", clip]
    done = command_line("export", x3d_head, *options)
    assert done.exit_code == 0, done.output
    assert "a.mp4: openvino float32 against torch float32: features within " in done.stderr
    assert done.stderr.rstrip().endswith(f"vadpipe score VIDEO --head {tmp_path / 'model'}")
    assert done.stdout.splitlines()[0] == str(tmp_path / "model/card.json")
    assert command_line("score", clip, "--head", tmp_path / "model", "-o", tmp_path).exit_code == 0


@pytest.mark.slow
def test_the_included_head_with_its_int8_backbone(i3d_weights, tmp_path):
    result = export_model(output=tmp_path / "model")
    assert result.parity.worst.score_error < 1e-5
    assert (tmp_path / "model/backbone-int8.xml").is_file()
    clip = write_video(tmp_path / "a.mp4", 40)
    found = vadpipe.score(clip, head=tmp_path / "model").scores
    np.testing.assert_allclose(found, vadpipe.score(clip, precision="int8").scores, atol=1e-4)
