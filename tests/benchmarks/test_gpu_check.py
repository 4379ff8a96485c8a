"""The checks of a GPU run on a CPU, and each notices what it is there for."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import vadpipe
from support.labelled_features import QUICK
from vadpipe.errors import DecodeError

CPU = torch.device("cpu")
NAMES = ["features x3d_xs", "halving", "decoding", "step", "fit", "throughput x3d_xs"]


def entries(report):
    return {entry["check"]: entry for entry in report["checks"]}


def test_all_that_can_run_on_a_cpu_passes_there(tmp_path, capsys):
    from gpu_check import main

    assert main(["--device", "cpu", "--quick", "--output", str(tmp_path / "cpu.json")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((tmp_path / "cpu.json").read_text())
    assert report["ok"]
    assert report["complete"]
    assert report["machine"]["torch"] == torch.__version__
    found = {name: entry["found"] for name, entry in entries(report).items()}
    assert [*found] == NAMES
    features = found["features x3d_xs"]
    assert features["weights"] == "random"
    assert features["float32"]["relative_error"] < 1e-4 < features["half"]["relative_error"]
    assert features["float32"]["cosine_min"] > 0.9999 > features["half"]["cosine_min"]
    assert (found["halving"]["batch"], found["halving"]["fits"]) == (5, 2)
    assert found["decoding"]["n_frames"] == 40
    assert found["decoding"]["pixel_error"] == 0  # decord has the scaler of PyAV
    assert found["fit"]["auc"] == found["fit"]["cpu_auc"] > 0.7
    speed = found["throughput x3d_xs"]["speeds"]["float32"]
    assert speed["frames_per_s"] == pytest.approx(16 * speed["snippets_per_s"], rel=1e-4)
    flop = 1e9 * found["throughput x3d_xs"]["gflop_per_snippet"]
    assert speed["tflops"] == pytest.approx(flop * speed["snippets_per_s"] / 1e12, rel=1e-4)


def test_a_gpu_that_is_not_there_fails_every_check_with_its_reason(monkeypatch, capsys):
    from gpu_check import main

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert main(["--quick", "--only", "decoding", "fit"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert not report["ok"]
    failed = entries(report)
    assert [*failed] == ["decoding", "fit"]
    assert "torchcodec" in failed["decoding"]["reason"]
    assert "device 'cuda:0' is not available" in failed["fit"]["reason"]
    assert failed["fit"]["found"] is None


class TestReport:
    def checks(self, *results):
        from gpu_check import Check

        def run(result):
            if isinstance(result, Exception):
                raise result
            return result

        return [
            Check(str(number), lambda result=result: run(result)) for number, result in enumerate(results)
        ]

    def last(self, *results, time_s=1e9):
        from gpu_check import reports

        *_, report = reports(self.checks(*results), {}, time_s)
        return report

    def result(self, reason=None, figure=1.0):
        from gpu_fit import FitCheck

        return FitCheck("cpu", 1, 1, figure, 1.0, 0.5, 0.5, 0.0, 0.0, reason)

    def test_one_failure_fails_all_and_the_others_still_run(self):
        errors = (
            RuntimeError("no kernel image\nmore"),
            DecodeError("is broken", file="a.mp4"),
            AssertionError(),
        )
        report = self.last(self.result(), *errors, self.result("too far"), self.result())
        assert [entry["ok"] for entry in report["checks"]] == [True, False, False, False, False, True]
        reasons = [entry["reason"] for entry in report["checks"]]
        expected = [None, "RuntimeError: no kernel image", "is broken", "AssertionError: ", "too far", None]
        assert reasons == expected
        assert not report["ok"]
        assert report["checks"][4]["found"]["threshold"] == 0.5

    def test_it_is_good_only_when_complete(self):
        from gpu_check import reports

        seen = [(one["complete"], one["ok"]) for one in reports(self.checks(*[self.result()] * 3), {}, 1e9)]
        assert seen == [(False, False), (False, False), (True, True)]

    def test_what_there_is_no_time_for_has_failed(self):
        (entry,) = self.last(self.result(), time_s=-1.0)["checks"]
        assert (entry["ok"], entry["reason"]) == (False, "not begun: -1 s were over")

    def test_json_has_no_infinities(self):
        (entry,) = self.last(self.result(figure=float("nan")))["checks"]
        assert entry["found"]["auc"] is None


class TestFeatures:
    def test_closeness_is_of_each_clip_and_not_of_what_all_have_in_common(self):
        from gpu_backbones import Closeness

        reference = np.random.default_rng(0).normal(100, 1, (5, 64)).astype(np.float32)
        same = Closeness.of(reference, reference)
        assert (same.cosine_min, same.relative_error) == (pytest.approx(1), 0)
        swapped = Closeness.of(reference[[0, 1, 2, 4, 3]], reference)
        assert swapped.cosine_min < 0.5 < 0.999 < swapped.cosine_median
        assert swapped.relative_error < 0.02
        lost = Closeness.of(np.zeros_like(reference), reference)
        assert lost.relative_error == pytest.approx(1)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda rows: rows * 1.001, "float32 is 1.0e-03 away, more than 1e-04"),
            (lambda rows: rows * np.nan, "float32 is nan away"),
        ],
    )
    def test_disturbed_features_are_noticed(self, monkeypatch, change, reason):
        import gpu_backbones

        engine_rows = gpu_backbones.engine_rows
        monkeypatch.setattr(gpu_backbones, "engine_rows", lambda *given: change(engine_rows(*given)))
        found = gpu_backbones.check_features("x3d_xs", CPU, n_clips=2, side_px=32)
        assert found.reason.startswith(reason)

    def test_a_network_that_is_bad_in_half_is_noticed(self, monkeypatch):
        import gpu_backbones

        monkeypatch.setattr(nn.Module, "half", nn.Module.bfloat16)
        found = gpu_backbones.check_features("x3d_xs", CPU, n_clips=4, side_px=32)
        assert found.float32.relative_error < 1e-4
        assert found.reason.startswith("float16 has a cosine of 0.9")

    def test_weights_of_a_file_are_taken_in_any_precision(self, tmp_path):
        from gpu_backbones import check_features, moving_clips, seeded_network
        from safetensors.torch import save_file

        trained = seeded_network("x3d_xs", moving_clips("x3d_xs", 2, 32), seed=1).network.half()
        save_file(trained.state_dict(), tmp_path / "x3d_xs.safetensors")
        found = check_features("x3d_xs", CPU, n_clips=2, side_px=32, weights=tmp_path)
        assert found.weights == "trained"
        assert found.float32.relative_error < 1e-4


class TestHalving:
    def test_memory_that_does_not_run_out_checks_nothing(self):
        from gpu_backbones import check_halving

        assert (
            check_halving("x3d_xs", CPU, batch=1, side_px=32).reason
            == "all 1 clips fitted: no memory ran out"
        )

    def test_parts_in_the_wrong_order_are_noticed(self, monkeypatch):
        import gpu_backbones

        class Backwards(gpu_backbones.HalvingBatches):
            def __call__(self, clips):
                return super().__call__(clips)[::-1]

        monkeypatch.setattr(gpu_backbones, "HalvingBatches", Backwards)
        found = gpu_backbones.check_halving("x3d_xs", CPU, batch=4, side_px=32)
        assert found.reason.startswith("features are ")


class TestDecoding:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda frames, times_s: (frames, times_s), None),
            (lambda frames, times_s: (frames[:-2], times_s), "2 frames are missing, 0 show another number"),
            (
                lambda frames, times_s: (
                    [frame._replace(number=frame.number ^ 1) for frame in frames],
                    times_s,
                ),
                "0 frames are missing, 8 show another number",
            ),
            (lambda frames, times_s: (frames, times_s + 0.02), "a frame's time is 0.02 s off"),
            (
                lambda frames, times_s: (
                    [frame._replace(pixels=frame.pixels // 8 * 7) for frame in frames],
                    times_s,
                ),
                "pixels are ",
            ),
        ],
    )
    def test_a_decoder_that_gives_other_frames_is_noticed(self, tmp_path, monkeypatch, change, reason):
        import gpu_decoding

        calls, decoded = [], gpu_decoding.decoded

        def other(path, decoder, device):
            frames, times_s, took_s = decoded(path, decoder, device)
            calls.append(1)
            return (*change(frames, times_s), took_s) if len(calls) == 2 else (frames, times_s, took_s)

        monkeypatch.setattr(gpu_decoding, "decoded", other)
        found = gpu_decoding.check_decoding(tmp_path, "pyav", "cpu", n_frames=8)
        assert found.reason == reason if reason is None else found.reason.startswith(reason)

    def test_torchcodec_that_falls_back_to_the_cpu_is_noticed(self, tmp_path, monkeypatch):
        import gpu_decoding

        decoded = gpu_decoding.decoded
        monkeypatch.setattr(gpu_decoding, "decoded", lambda path, *_: decoded(path, "pyav", "cpu"))
        monkeypatch.setattr(gpu_decoding, "why_not_on_gpu", lambda path, device: f"not on {device}")
        found = gpu_decoding.check_decoding(tmp_path, "torchcodec", "cuda:0", n_frames=4)
        assert found.reason == "not on cuda:0"


def test_fits_that_differ_are_told_apart(tmp_path):
    from gpu_fit import compare_fits, made_features

    videos = made_features(n_each=4)
    one, same, other = (
        vadpipe.fit(videos, output=tmp_path / name, settings=QUICK, seed=seed, device="cpu")
        for name, seed in (("one", 0), ("same", 0), ("other", 1))
    )
    assert compare_fits(one, same, "cpu").weight_error == 0
    found = compare_fits(one, other, "cpu")
    assert found.weight_error > 0.01
    assert "away, more than" in found.reason or "of step" in found.reason


class TestSpeed:
    def test_operations_are_counted_as_two_a_multiplication(self):
        from gpu_speed import counted_flop

        class Convolution(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Conv3d(3, 8, (1, 3, 3))

            def forward(self, pixels):
                return self.layer(pixels.permute(0, 4, 1, 2, 3).float())

        assert counted_flop(Convolution(), (4, 10, 12, 3)) == 2 * (8 * 4 * 8 * 10) * (3 * 3 * 3)

    def test_warming_up_is_not_counted(self, monkeypatch):
        import gpu_speed

        now_s, steps_s = [0.0], iter([50.0, 50.0, 1.0, 3.0])
        monkeypatch.setattr(gpu_speed, "time", SimpleNamespace(perf_counter=lambda: now_s[0]))

        def work():
            now_s[0] += next(steps_s)

        assert gpu_speed.durations_s(work, CPU, 2, warm_up=2) == [1.0, 3.0]

    def test_more_than_the_published_peak_cannot_be_true(self, monkeypatch):
        import gpu_speed

        monkeypatch.setattr(gpu_speed, "PUBLISHED_TFLOPS", {"cpu": {"float32": 1e-9}})
        found = gpu_speed.check_throughput("x3d_xs", CPU, {"float32": 0.1}, batch=1, repeats=1, side_px=32)
        assert "of the peak; operations or time are counted wrongly" in found.reason
        speed = found.speeds["float32"]
        assert speed.of_published == pytest.approx(speed.tflops / 1e-9)
        assert speed.of_product == pytest.approx(speed.tflops / 0.1)
