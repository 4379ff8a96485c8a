"""``vadpipe doctor`` finds this installation in order, and says what is wrong with another."""

import json
from importlib import metadata

import pytest

from support.commands import run
from support.faulty_decoders import faulty_decoder
from vadpipe.diagnostics import checks
from vadpipe.diagnostics.clip import N_FRAMES, write_clip
from vadpipe.errors import WeightsError
from vadpipe.extract.video.decoders import DECODERS, Decoder


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("doctor") / "clip.mp4")


def test_this_installation_is_in_order(tmp_path, i3d_weights):
    done = run("doctor", "--json", cwd=tmp_path)
    record = json.loads(done.stdout)
    assert (done.returncode, record["failed"], done.stderr) == (0, 0, "")
    assert record["environment"]["numpy"] == metadata.version("numpy")
    states = {check["name"]: check["state"] for check in record["checks"]}
    assert {states[name] for name in ("decoder decord", "decoder pyav", "scoring", "sandbox landlock")} == {
        "ok"
    }
    details = {check["name"]: check["detail"] for check in record["checks"]}
    assert f"{N_FRAMES} of {N_FRAMES} frames" in details["decoder pyav"]
    assert "libavcodec" in details["decoder decord"]
    assert "highest score 0." in details["scoring"]
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_work_is_named_with_the_next_step(tmp_path, monkeypatch, capsys):
    import typer

    from vadpipe.cli.doctor import doctor

    broken = checks.Check("scoring", "failed", "no weights", "Run: vadpipe weights download")
    monkeypatch.setattr(checks, "run_checks", lambda: iter([checks.Check("device", "ok", "cpu"), broken]))
    with pytest.raises(typer.Exit) as end:
        doctor(as_json=False)
    assert end.value.exit_code == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[-5:] == [
        "ok       device: cpu",
        "failed   scoring: no weights",
        "         Run: vadpipe weights download",
        "",
        "2 checks: 1 failed, 0 warnings",
    ]


def test_a_decoder_that_crashes_has_failed(tmp_path, clip, monkeypatch):
    faulty_decoder(monkeypatch, tmp_path, "os.abort()", decoder="pyav")
    check = checks.check_decoder(DECODERS["pyav"], clip)
    assert (check.name, check.state) == ("decoder pyav", "failed")
    assert "crashed (SIGABRT)" in check.detail


def test_a_decoder_that_loses_frames_has_failed(tmp_path, clip, monkeypatch):
    faulty_decoder(monkeypatch, tmp_path, "pass", decoder="pyav")
    check = checks.check_decoder(DECODERS["pyav"], clip)
    assert check.state == "failed"
    assert check.detail.endswith(f": 1 of {N_FRAMES} frames")
    assert check.next_step == "Reinstall it: pip install av."


@pytest.mark.parametrize(("name", "state"), [("decord", "warning"), ("torchcodec", "ok")])
def test_a_decoder_that_is_not_installed(clip, name, state):
    check = checks.check_decoder(Decoder(name, ("no-such-package",), "pip install it", on_cuda=False), clip)
    assert (check.state, check.detail, check.next_step) == (state, "not installed", "pip install it")


def test_without_openvino_the_faster_engine_is_named(monkeypatch):
    monkeypatch.setattr(checks, "choose_engine", lambda name, device: "torch")
    check = checks.check_engine()
    assert (check.state, check.next_step) == ("warning", "pip install 'vadpipe[cpu]'")


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path / "file"))
    check = checks.check_weights()
    assert check.state == "warning"
    assert "VADPIPE_CACHE" in check.next_step
    monkeypatch.setenv("VADPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VADPIPE_OFFLINE", "1")
    check = checks.check_weights()
    assert check.state == "ok"
    assert "no weights yet" in check.detail
    assert "disabled by VADPIPE_OFFLINE" in check.detail


def test_a_kernel_without_landlock_is_a_warning(monkeypatch):
    monkeypatch.setattr(
        checks, "sandbox_layers", lambda: {"limits": "on: memory", "landlock": "off: not there"}
    )
    limits, landlock = checks.check_sandbox()
    assert (limits.state, landlock.state) == ("ok", "warning")


def test_a_head_that_cannot_score(clip, monkeypatch):
    def missing(**_):
        raise WeightsError("the weights i3d are not cached", next_step="Run: vadpipe weights download i3d")

    monkeypatch.setattr(checks, "Scorer", missing)
    check = checks.check_scoring(clip)
    assert (check.state, check.next_step) == ("failed", "Run: vadpipe weights download i3d")
