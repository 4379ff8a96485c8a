"""The rows of the table: what each changes, which are the same, and how users add their own."""

import pytest

from vadpipe.ablation.rows import REFERENCES, ROWS, Row, choose_rows, parse_row
from vadpipe.errors import UsageError
from vadpipe.head.methods import settings_of as published
from vadpipe.head.settings import HeadSettings

BASE = HeadSettings()


def settings_of(name, base=BASE):
    return next(row for row in ROWS if row.name == name).settings(base)


def test_the_full_method_is_the_base_whatever_that_is():
    for base in (BASE, HeadSettings(steps=7, cluster_weight=0.9)):
        assert settings_of("+ guided score", base) == base


def test_every_row_is_what_it_is_called_whatever_the_base():
    baseline = HeadSettings(clustering=False, guided=False)
    control = HeadSettings(clustering=False, second_head=True)
    for row in ROWS:
        expected = row.settings(BASE)
        for base in (baseline, control):
            found = row.settings(base)
            for switch in ("clustering", "second_head", "guided"):
                assert getattr(found, switch) == getattr(expected, switch), (row.name, switch)


def test_the_ladder_adds_one_claim_at_a_time():
    switches = [
        (row.clustering, row.memory, row.guided)
        for row in map(settings_of, ["+ batch clustering", "+ cross-batch", "+ guided score"])
    ]
    assert switches == [(True, "none", False), (True, "queue", False), (True, "queue", True)]
    assert (settings_of("mil").clustering, settings_of("mil").guided) == (False, False)


def test_the_control_has_a_second_head_in_place_of_clusters():
    control = settings_of("second head")
    assert (control.second_head, control.clustering, control.guided) == (True, False, True)


def test_the_references_are_rows():
    assert set(REFERENCES) <= {row.name for row in ROWS}


def test_rows_differ_in_nothing_but_their_changes():
    for row in ROWS:
        full, own = BASE.model_dump(), row.settings(BASE).model_dump()
        assert {name for name in full if full[name] != own[name]} <= set(row.changes)


@pytest.mark.parametrize("base", [BASE, HeadSettings(steps=7, hidden=9)])
def test_a_row_of_another_method_begins_with_its_published_settings(base):
    row = parse_row("RTFM: method=rtfm steps=20")
    assert row.settings(base) == published("rtfm").model_copy(update={"steps": 20})
    assert parse_row("ours: method=cbcg margin=0").settings(base) == base.model_copy(update={"margin": 0.0})


def test_rows_of_all_methods_are_calibrated_alike():
    protocol = {"folds": 3, "checks": 7, "false_alarms_per_hour": 2.0, "normal_quantile": 0.9}
    row = parse_row("UR-DMU: method=ur-dmu steps=20")
    expected = published("ur-dmu").model_copy(update=protocol | {"steps": 20})
    assert row.settings(HeadSettings(**protocol, hidden=9)) == expected
    own = parse_row("UR-DMU: method=ur-dmu checks=9").settings(HeadSettings(**protocol))
    assert own == published("ur-dmu").model_copy(update=protocol | {"checks": 9})


def test_a_row_of_an_unknown_method_is_refused():
    with pytest.raises(UsageError, match="row 'x': method: Input should be 'cbcg', 'deepmil', "):
        parse_row("x: method=sultani").settings(BASE)


def test_a_row_of_a_method_that_does_not_read_a_setting_is_refused():
    message = r"^row 'x': RTFM does not use the setting context, which is specific to CBCG\nOmit it; docs"
    with pytest.raises(UsageError, match=message):
        parse_row("x: method=rtfm steps=3 context=pooled").settings(BASE)


def test_a_row_with_the_settings_of_another_is_left_out_and_told():
    chosen = choose_rows(BASE)
    twins = {name for name in ("g = 0", "g = 0.25", "g = 1") if settings_of(name) == BASE}
    assert chosen.same == dict.fromkeys(twins, "+ guided score")
    assert [row.name for row in chosen.rows] == [row.name for row in ROWS if row.name not in twins]


def test_rows_by_name_in_that_order_once_each():
    chosen = choose_rows(BASE, names=["second head", "mil", "mil"])
    assert [row.name for row in chosen.rows] == ["second head", "mil"]


def test_a_row_of_the_users_own():
    row = parse_row("  slow: learning_rate=1e-5  guided=false ")
    assert row.name == "slow"
    assert row.settings(BASE) == BASE.model_copy(update={"learning_rate": 1e-5, "guided": False})
    assert [row.name for row in choose_rows(BASE, [row]).rows][-1] == "slow"
    assert [row.name for row in choose_rows(BASE, [row], ["slow"]).rows] == ["slow"]


@pytest.mark.parametrize("text", ["slow", "slow:", "slow: guided", "slow: =1", "slow steps=3", ""])
def test_what_is_no_row(text):
    with pytest.raises(UsageError, match=r"is not a row\nWrite NAME: SETTING=VALUE"):
        parse_row(text)


@pytest.mark.parametrize("name", ["", "+ +", "a\nb"])
def test_names_that_cannot_be_shown_or_kept(name):
    with pytest.raises(UsageError, match=r"cannot be the name of a row"):
        Row(name, "")


def test_folders_can_be_typed_and_are_apart():
    folders = {row.name: row.folder for row in ROWS}
    assert folders["+ batch clustering"] == "batch-clustering"
    assert folders["g = 0.25"] == "g-0.25"
    assert len(set(folders.values())) == len(ROWS)
    assert len(Row("x" * 400, "").folder) < 255


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "x: stepps=3",
            r"row 'x': unknown setting 'stepps': did you mean 'steps'\?\nThe settings are: method, clustering, ",
        ),
        ("x: steps=0", r"row 'x': steps: Input should be greater than or equal to 1$"),
        (
            "x: second_head=true",
            r"^row 'x': settings: second_head is the control without clusters: set clustering to false$",
        ),
    ],
)
def test_settings_that_are_off_name_the_row(text, message):
    with pytest.raises(UsageError, match=message):
        choose_rows(BASE, [parse_row(text)])


@pytest.mark.parametrize(("own", "taken"), [("mil: steps=3", "mil"), ("Second-Head: steps=3", "second head")])
def test_names_that_are_taken(own, taken):
    with pytest.raises(UsageError, match=f"the row '{taken}' already exists"):
        choose_rows(BASE, [parse_row(own)])


def test_an_unknown_name_lists_those_that_there_are():
    with pytest.raises(UsageError, match=r"unknown row 'mill'\nThe rows are: mil, \+ batch"):
        choose_rows(BASE, names=["mil", "mill"])
    with pytest.raises(UsageError, match="no row was given"):
        choose_rows(BASE, names=[])
