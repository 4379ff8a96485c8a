"""Options from a file: which win, what is refused, and the schema."""

import json

import jsonschema
import pytest
import typer
import yaml

from vadpipe.cli import app
from vadpipe.cli.config_file import option_names
from vadpipe.cli.config_schema import schema


@pytest.fixture
def printed(command_line, tmp_path, monkeypatch):
    """Return what returns the options of a command that a file gives."""
    monkeypatch.chdir(tmp_path)

    def run(text, *arguments, name="vadpipe.yaml"):
        (tmp_path / name).write_text(text)
        done = command_line(*arguments, "--config", name, "--print-config")
        assert done.exit_code == 0, (done.output, done.exception)
        return yaml.safe_load(done.stdout)

    return run


def test_the_command_line_wins_over_the_file_and_the_file_over_defaults(printed):
    found = printed("fit: {seed: 3, device: cpu}", "fit", "--seed", "5")
    assert (found["fit"]["seed"], found["fit"]["device"], found["fit"]["seeds"]) == (5, "cpu", 1)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "fit:\n  normal: [x, y]\n  set: {steps: 40, guided: false}\n  ensemble: true\n"),
        (
            "a.json",
            '{"fit": {"normal": ["x", "y"], "set": {"steps": 40, "guided": false}, "ensemble": true}}',
        ),
        ("a.toml", '[fit]\nnormal = ["x", "y"]\nensemble = true\nset = {steps = 40, guided = false}\n'),
    ],
)
def test_yaml_json_and_toml_say_the_same(printed, name, text):
    found = printed(text, "fit", name=name)["fit"]
    assert found["normal"] == ["x", "y"]
    assert found["set"] == ["steps=40", "guided=false"]
    assert found["ensemble"] is True


def test_what_is_printed_is_read_again(printed):
    first = printed(
        "score: {plot: true, pad: 3, target: null}".replace(", target: null", ""), "score", "a.mp4"
    )
    assert first["score"]["plot"] is True
    assert first["score"]["pad"] == 3.0
    assert printed(yaml.safe_dump(first), "score", "a.mp4") == first


def test_commands_of_groups_and_numbers_as_text(printed):
    found = printed("features:\n  import: {backbone: i3d_r50, crops: 5}\n", "features", "import", "a.npy")
    assert found == {"features": {"import": found["features"]["import"]}}
    assert (found["features"]["import"]["backbone"], found["features"]["import"]["crops"]) == ("i3d_r50", "5")


def test_a_required_option_may_be_in_the_file_and_headings_may_be_empty(printed):
    found = printed("extract:\nevaluate: {truth: t.csv, head: h}\n", "evaluate")
    assert (found["evaluate"]["truth"], found["evaluate"]["head"]) == ("t.csv", ["h"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fit: {sed: 1}", "unknown option 'sed' of fit: did you mean 'seed'?\nKnown are: backbone, "),
        ("score: {merge_gap: 1}", "unknown option 'merge_gap' of score: did you mean 'merge-gap'?"),
        ("features: {imprt: {}}", "unknown command 'imprt' of features: did you mean 'import'?"),
        ("fitt: {}", "unknown command 'fitt': did you mean 'fit'?\nKnown are: ablate, compare, "),
        ("fit: 3", "fit must be an object of options, not 3\n"),
        ("fit: {seed: [1, 2]}", "fit: seed must be one value"),
        ("fit: {normal: {a: 1}}", "fit: normal must be a list"),
        ("fit: {set: [{a: 1}]}", "fit: set must be a list, or an object of NAME: VALUE"),
        ("fit: {config: a.yaml}", "unknown option 'config' of fit"),
        ("[fit]", "is not a YAML file of options: it is not an object of NAME: VALUE\nWrite NAME: VALUE pairs in YAML, as"),
        ("fit: {", "is not a YAML file of options: line 1: "),
    ],
)  # fmt: skip
def test_what_is_refused(command_line, tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(text)
    done = command_line("fit", "--config", "a.yaml")
    assert str(done.exception).startswith(f"a.yaml: {said}")


def test_a_value_of_the_file_is_checked_as_one_of_the_command_line_is(command_line, tmp_path):
    (tmp_path / "a.yaml").write_text("fit: {seed: -1}")
    done = command_line("fit", "--config", tmp_path / "a.yaml")
    assert done.exit_code == 2
    assert "'--seed'" in done.output


def test_a_setting_is_checked_as_set_is(command_line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text("fit: {set: {stepps: 1}}")
    done = command_line("fit", "--config", "a.yaml")
    assert str(done.exception).startswith("unknown setting 'stepps': did you mean 'steps'?")


def test_a_file_that_is_missing(command_line):
    done = command_line("fit", "--config", "none.yaml")
    assert str(done.exception) == (
        "none.yaml: no such file\nPass a file of options, JSON, YAML or TOML, as --config."
    )


@pytest.fixture(scope="module")
def validator():
    described = schema(typer.main.get_command(app))
    jsonschema.Draft202012Validator.check_schema(described)
    return jsonschema.Draft202012Validator(described)


def test_the_command_prints_the_schema(command_line, validator):
    done = command_line("config", "schema")
    assert json.loads(done.stdout) == validator.schema


@pytest.mark.parametrize(
    ("config", "valid"),
    [
        (
            {"fit": {"seed": 3, "set": {"steps": 40, "guided": False}, "normal": "calm"}, "extract": None},
            True,
        ),
        ({"fit": {"set": ["steps=40"]}, "features": {"import": {"crops": 5}}}, True),
        ({"fit": {"sed": 3}}, False),
        ({"fit": {"seed": -1}}, False),
        ({"fit": {"set": {"stepps": 40}}}, False),
        ({"score": {"plot-format": "gif"}}, False),
        ({"fitt": {}}, False),
    ],
)
def test_the_schema_takes_what_the_commands_take(validator, config, valid):
    assert validator.is_valid(config) == valid


def test_every_command_has_the_three_options():
    def commands(command):
        children = getattr(command, "commands", None)
        return (
            [command]
            if children is None
            else [leaf for child in children.values() for leaf in commands(child)]
        )

    found = commands(typer.main.get_command(app))
    assert len(found) > 15
    for command in found:
        assert {"--config", "--print-config", "--log-json"} <= {
            name for option in command.params for name in option.opts
        }
        assert not {"config", "print-config", "log-json"} & option_names(command).keys()
