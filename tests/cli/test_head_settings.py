"""Head settings from the training options of the command line, and errors where these contradict each other."""

import json
import sys

import pytest

from support.commands import assert_clean_error, run
from vadpipe.cli.head_settings import head_settings
from vadpipe.cli.options import Method, Preset
from vadpipe.errors import UsageError
from vadpipe.head.methods import METHODS, settings_of
from vadpipe.head.presets import PRESETS
from vadpipe.head.settings import HeadSettings

CONTRADICTION = "settings: second_head is the control without clusters: set clustering to false"


@pytest.mark.parametrize(
    ("written", "assigned", "message"),
    [
        ({"steps": 0}, [], "FILE: steps: Input should be greater than or equal to 1"),
        ({"steps": 0}, ["hidden=8"], "FILE: steps: Input should be greater than or equal to 1"),
        ({"steps": 9}, ["steps=0"], "steps: Input should be greater than or equal to 1"),
        ({"steps": 0}, ["steps=-1"], "steps: Input should be greater than or equal to 1"),
        ({"steps": 9}, ["hidden=0"], "hidden: Input should be greater than or equal to 1"),
        ({"second_head": True}, [], f"FILE: {CONTRADICTION}"),
        ({"second_head": True}, ["steps=9"], f"FILE: {CONTRADICTION}"),
        ({"clustering": True}, ["second_head=true"], CONTRADICTION),
        (None, ["second_head=true"], CONTRADICTION),
        ({"steeps": 9}, [], "FILE: unknown setting 'steeps': did you mean 'steps'?"),
        ({"steps": 9}, ["steeps=9"], "unknown setting 'steeps': did you mean 'steps'?"),
        (None, ["Learning-Rate=1"], "unknown setting 'Learning-Rate': did you mean 'learning_rate'?"),
        (None, ["colour=blue"], "unknown setting 'colour'"),
    ],
)
def test_a_settings_file_is_blamed_for_its_own_values_alone(tmp_path, written, assigned, message):
    file = None if written is None else tmp_path / "s.json"
    if file is not None:
        file.write_text(json.dumps(written))
    with pytest.raises(UsageError) as caught:
        head_settings("default", file, assigned)
    assert str(caught.value).splitlines()[0] == message.replace("FILE", str(file))
    assert (caught.value.next_step is not None) == ("unknown" in message)


def test_what_a_settings_file_contradicts_can_be_mended_by_set(tmp_path):
    (tmp_path / "s.json").write_text(json.dumps({"second_head": True, "steps": 0}))
    mended = head_settings("default", tmp_path / "s.json", ["clustering=false", "steps=9"])
    assert mended == HeadSettings(second_head=True, clustering=False, steps=9)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_is_told_in_the_help_and_can_be_chosen(preset):
    assert preset.name in Preset.__metadata__[0].help
    assert head_settings(preset.name, None, None) == HeadSettings(**preset.changes)
    assert head_settings(preset.name, None, ["steps=7"]) == HeadSettings(**{**preset.changes, "steps": 7})


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_is_told_in_the_help_and_can_be_chosen(method):
    assert method.name in Method.__metadata__[0].help
    assert head_settings("default", None, None, method=method.name) == settings_of(method.name)
    agreeing = head_settings("default", None, [f"method={method.name}", "steps=7"], method=method.name)
    assert agreeing == settings_of(method.name).model_copy(update={"steps": 7})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--method", "sultani"],
            "error: unknown method 'sultani'\nChoose one of: cbcg, deepmil, rtfm, ",
        ),
        (
            ["--method", "rtfm", "--preset", "literal"],
            "error: the preset literal is for CBCG, not RTFM\nOmit --preset; ",
        ),
        (
            ["--method", "rtfm", "--settings", "mgfn.json"],
            "error: mgfn.json: holds settings of the method mgfn, but --method is rtfm\n"
            "Omit --method or --settings.",
        ),
        (
            ["--method", "rtfm", "--set", "method=mgfn"],
            "error: --method is rtfm, but --set says method=mgfn\nOmit --set method=mgfn.",
        ),
        (
            ["--set", "method=rtfm"],
            "error: --set method=rtfm would keep the settings of CBCG\nUse --method rtfm.",
        ),
        (["--set", "method=sultani"], "error: unknown method 'sultani'"),
        (
            ["--settings", "mgfn.json", "--preset", "baseline"],
            "error: the preset baseline is for CBCG, not MGFN",
        ),
        (
            ["--method", "rtfm", "--set", "steps=3", "--set", "context=pooled"],
            "error: RTFM does not use the setting context, which is specific to CBCG\n"
            "Omit it; docs/peers.md lists the settings that RTFM uses.",
        ),
    ],
)
def test_methods_that_contradict_each_other(tmp_path, arguments, message):
    (tmp_path / "mgfn.json").write_text('{"method": "mgfn"}')
    assert_clean_error(run("fit", "-o", "never", *arguments, cwd=tmp_path), 2, message)
    assert not (tmp_path / "never").exists()


METHOD_NAMES = "Choose one of: cbcg, deepmil, rtfm, ur-dmu, bn-wvad, mgfn."


@pytest.mark.parametrize(
    ("written", "options", "message"),
    [
        ('{"method": "mgfn"}', {"assignments": ["guided=true"]},
         "MGFN does not use the setting guided, which is specific to CBCG\n"
         "Omit it; docs/peers.md lists the settings that MGFN uses."),
        ('{"context": "pooled"}', {"method": "rtfm"},
         "FILE: holds settings of the method cbcg, but --method is rtfm\nOmit --method or --settings."),
        ('{"method": "foo"}', {}, f"FILE: unknown method 'foo'\n{METHOD_NAMES}"),
        ('{"method": 5}', {"method": "rtfm"}, f"FILE: unknown method 5\n{METHOD_NAMES}"),
        ('{"method": ["rtfm"]}', {"ablating": True}, f"FILE: unknown method ['rtfm']\n{METHOD_NAMES}"),
        ('{"method": "mgfn"}', {"assignments": ["method=rtfm"]},
         "--set method=rtfm would keep the settings of MGFN\nOmit --settings, and use --method rtfm."),
        ('{"method": "mgfn"}', {"assignments": ["method=rtfm"], "ablating": True},
         "FILE: holds settings of the method mgfn, but the rows are variants of CBCG\n"
         "Omit --settings, and define a row: --row 'MGFN: method=mgfn'."),
        ('{"steps": 5}', {"assignments": ["method=rtfm"]},
         "--set method=rtfm would keep the settings of CBCG\nUse --method rtfm."),
        (None, {"assignments": ["method=rtfm"], "preset": "literal"},
         "--set method=rtfm would keep the settings of CBCG\nOmit --preset, and use --method rtfm."),
        ('{"margin": 0}', {"assignments": ["method=rtfm"], "preset": "literal"},
         "--set method=rtfm would keep the settings of CBCG\n"
         "Omit --settings and --preset, and use --method rtfm."),
    ],
)  # fmt: skip
def test_which_method_is_meant_is_told_with_a_step_that_helps(tmp_path, written, options, message):
    file = None if written is None else tmp_path / "s.json"
    if file is not None:
        file.write_text(written)
    given = {"preset": "default", "assignments": None} | options
    with pytest.raises(UsageError) as caught:
        head_settings(file=file, **given)
    assert str(caught.value) == message.replace("FILE", str(file))


@pytest.mark.parametrize("written", ["[" * 100_000, "[]", "{", '"steps"', ""])
def test_a_settings_file_that_holds_none(tmp_path, written):
    (tmp_path / "s.json").write_text(written)
    with pytest.raises(UsageError, match=r"s\.json: is not a JSON file of settings: "):
        head_settings("default", tmp_path / "s.json", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--set", "method=rtfm"],
            "error: --set method=rtfm would keep the settings of CBCG\n"
            "Omit it, and define a row: --row 'RTFM: method=rtfm'.",
        ),
        (
            ["--settings", "mgfn.json"],
            "error: mgfn.json: holds settings of the method mgfn, but the rows are variants of CBCG\n"
            "Omit --settings, and define a row: --row 'MGFN: method=mgfn'.",
        ),
    ],
)
def test_an_ablation_is_one_of_cbcg(tmp_path, arguments, message):
    (tmp_path / "mgfn.json").write_text('{"method": "mgfn"}')
    (tmp_path / "truth.csv").write_text("video,frames,anomalies\n")
    assert_clean_error(run("ablate", "--truth", "truth.csv", *arguments, cwd=tmp_path), 2, message)


# ---- YAML ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["yaml", "yml", "YAML"])
def test_settings_may_be_written_in_yaml(tmp_path, suffix):
    """Numbers without a decimal point are texts to YAML 1.1, and numbers to us."""
    file = tmp_path / f"s.{suffix}"
    file.write_text("# quick\nsteps: 9\nlearning_rate: 1e-3\nguided: no\nmemory: ema\n")
    expected = HeadSettings(steps=9, learning_rate=1e-3, guided=False, memory="ema")
    assert head_settings("default", file, None) == expected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "steps: [8\n",
            "is not a YAML file of settings: line 2: expected ',' or ']', but got '<stream end>'",
        ),
        ("steps\n", "is not a YAML file of settings: it is not an object of NAME: VALUE"),
        ("1: 2\n", "is not a YAML file of settings: it is not an object of NAME: VALUE"),
        ("!!python/object:os.system {}\n", "is not a YAML file of settings: line 1: could not determine"),
        ("stepps: 8\n", "unknown setting 'stepps': did you mean 'steps'?"),
        ("steps: many\n", "steps: Input should be a valid integer"),
    ],
)
def test_a_yaml_file_that_holds_no_settings_says_why(tmp_path, written, said):
    (tmp_path / "s.yaml").write_text(written)
    with pytest.raises(UsageError) as caught:
        head_settings("default", tmp_path / "s.yaml", None)
    assert str(caught.value).startswith(f"{tmp_path / 's.yaml'}: {said}")


def test_without_pyyaml_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "s.yaml").write_text("steps: 9\n")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(UsageError, match=r"need PyYAML.*\npip install 'vadpipe\[yaml\]', or write"):
        head_settings("default", tmp_path / "s.yaml", None)


# ---- of a head that is fine-tuned ----------------------------------------------------------------


def test_a_head_that_is_fine_tuned_gives_the_settings_that_are_not_given(tmp_path):
    start = HeadSettings(hidden=8, steps=50, learning_rate=0.5, smoothing=0.0)
    (tmp_path / "s.json").write_text('{"steps": 9}')
    found = head_settings("baseline", tmp_path / "s.json", ["learning_rate=0.1"], start=start)
    changes = {"steps": 9, "learning_rate": 0.1, "clustering": False, "guided": False, "context": "none"}
    assert found == start.model_copy(update=changes)
    peer = settings_of("rtfm").model_copy(update={"hidden": 16})
    assert head_settings("default", None, ["steps=7"], start=peer) == peer.model_copy(update={"steps": 7})


def test_a_head_is_fine_tuned_by_its_own_method():
    with pytest.raises(UsageError) as caught:
        head_settings("default", None, None, method="rtfm", start=HeadSettings())
    assert str(caught.value) == (
        "--from-head is a head of CBCG, but --method is rtfm\nOmit --method or --from-head."
    )
