"""A split keeps groups and copies together, and balances counts and durations."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.feature_files import make_features
from vadpipe.annotations.sheet import read_sheet
from vadpipe.annotations.split import split_sheet
from vadpipe.errors import UsageError


def write(folder, rows, header="video,label,group"):
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "sheet.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder / "sheet.csv"


def names(path):
    return [item.video for item in read_sheet(path).annotations]


@settings(max_examples=10)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=40, max_size=60), st.integers(0, 9))
def test_no_group_is_in_both_sets(tmp_path_factory, rows, seed):
    rows += [(kind, 100 + 2 * number + kind) for number in range(20) for kind in (False, True)]
    folder = tmp_path_factory.getbasetemp() / "split"
    path = write(folder, [f"v{number},{int(kind)},g{group}" for number, (kind, group) in enumerate(rows)])
    result = split_sheet(path, test=0.3, seed=seed, force=True)
    parts = [read_sheet(part).annotations for part in (result.train, result.test)]
    groups = [{item.group for item in part} for part in parts]
    assert not groups[0] & groups[1]
    dealt = sorted((item.video, item.abnormal, item.group) for part in parts for item in part)
    assert dealt == sorted((f"v{n}", kind, f"g{group}") for n, (kind, group) in enumerate(rows))
    for kind in (False, True):
        share = sum(item.abnormal is kind for item in parts[1]) / sum(known is kind for known, _ in rows)
        assert result.share(abnormal=kind) == share
        assert share == pytest.approx(0.3, abs=0.1)


def test_durations_are_balanced_beside_numbers(tmp_path):
    lengths = [10 * 2 ** (number % 6) for number in range(48)]
    rows = [f"v{number},{number % 2},{length}" for number, length in enumerate(lengths)]
    result = split_sheet(write(tmp_path, rows, "video,label,frames"), test=0.25)
    held = [item.video for item in result.test_videos]
    for kind in (0, 1):
        there = [number for number in range(48) if number % 2 == kind]
        inside = [number for number in there if f"v{number}" in held]
        assert len(inside) / len(there) == pytest.approx(0.25, abs=0.05)
        share = sum(lengths[number] for number in inside) / sum(lengths[number] for number in there)
        assert share == pytest.approx(0.25, abs=0.05)
        assert result.share(abnormal=bool(kind), of_duration=True) == pytest.approx(share)


def test_the_seed_decides_and_is_all_that_decides(tmp_path):
    path = write(tmp_path, [f"v{number},{number % 2},{number // 2}" for number in range(60)])
    first, again, other = (
        split_sheet(path, test=0.3, seed=seed, force=True).test_videos for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_features_tell_durations_and_copies(tmp_path):
    names_of = [f"v{number}.mp4" for number in range(12)]
    for number, name in enumerate(names_of):
        features = make_features(
            16 * (number + 1), f"videos/{name}", seed=number // 2 if number < 4 else number
        )
        if number < 4:  # 0 and 1 are one video, and so are 2 and 3
            features = replace(
                features, source=features.source.model_copy(update={"sha256": f"{number // 2}" * 64})
            )
        features.save(tmp_path / "features" / f"{name}.safetensors")
    path = write(tmp_path, [f"{name},{number % 2}" for number, name in enumerate(names_of)], "video,label")
    result = split_sheet(path, test=0.5, features=tmp_path / "features")
    test = {item.video for item in result.test_videos}
    assert len(test & {"videos/v0.mp4", "videos/v1.mp4"}) in (0, 2)
    assert len(test & {"videos/v2.mp4", "videos/v3.mp4"}) in (0, 2)
    assert result.lengths["videos/v3.mp4"] == 64 / 25
    assert (result.n_groups, result.grouped) == (10, False)


def test_rows_without_features_are_left_out_and_the_others_get_the_names_of_these(tmp_path, caplog):
    for number in range(5):
        path = tmp_path / "features" / f"02{number}.mp4.safetensors"
        make_features(16, f"videos/02{number}.mp4", seed=number).save(path)
    rows = ["020,1", "021,1", "022.MP4,0", "024,0", r"D:\x\O23.MP4,0"]
    result = split_sheet(write(tmp_path, rows, "video,label"), test=0.5, features=tmp_path / "features")
    kept = sorted(names(result.train) + names(result.test))
    assert kept == [f"videos/02{number}.mp4" for number in (0, 1, 2, 4)]
    assert result.n_left_out == 1
    assert "rows that are left out of both sheets: 1 (line 6: " in caplog.text
    assert "matches no feature file. Did you mean videos/023.mp4? Correct the name" in caplog.text
    with pytest.raises(UsageError, match=r"line 2: 'x' matches no feature file\nCorrect the name"):
        split_sheet(write(tmp_path, ["x,1"], "video,label"), test=0.5, features=tmp_path / "features")


def test_times_keep_their_unit_in_both_sheets(tmp_path):
    rows = [f"v{number},{'2-3' if number else '2.5-3'},{number}" for number in range(8)]
    rows += [f"n{number},,n{number}" for number in range(8)]
    result = split_sheet(write(tmp_path, rows, "video,anomalies,group"), test=0.5)
    for part in (result.train, result.test):
        for item in read_sheet(part).annotations:
            assert item.unit == "seconds"
            assert item.ranges in ((), ((2.5, 3),), ((2, 3),))


def test_rows_without_a_group_are_counted(tmp_path, caplog):
    split_sheet(write(tmp_path, ["a,1,g", "b,1,", "c,0,", "d,0,h"]), test=0.5)
    assert "2 of 4 rows have no group: clips of one recording may be in both sets" in caplog.text


@pytest.mark.parametrize(
    ("rows", "test", "message"),
    [
        (["a,1,1", "b,0,1"], 0.5, "its 1 normal and 1 abnormal videos cannot be split so that the t"),
        (
            ["a,1,1", "b,0,1", "c,1,1", "d,0,1"],
            0.5,
            "set has normal and abnormal videos\nChoose another share, or give videos of different places",
        ),
        (
            ["a,1,", "b,0,", "c,1,", "d,0,"],
            0.01,
            "its 2 normal and 2 abnormal videos cannot be split so that the test set has normal and abnormal "
            "videos and the test set is 0.01 of them\nChoose a share nearer to 0.5, or label more videos.",
        ),
        (
            ["a,1,1", "b,0,2"],
            0.5,
            "set has normal and abnormal videos\nLabel two videos of each kind or more.",
        ),
        (["a,1,1", "b,,2"], 0.5, "line 3: 'b' has no label"),
        (["a,1,1", "b,0,2"], 1.0, "a test share of 1 is not between 0 and 1\nFor example 0.3."),
    ],
)
def test_what_cannot_be_dealt_is_refused(tmp_path, rows, test, message):
    with pytest.raises(UsageError) as caught:
        split_sheet(write(tmp_path, rows), test=test)
    assert message in str(caught.value)
    assert not (tmp_path / "sheet.train.csv").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"path": 3}, "path is 3\nPass a path as path"),
        ({"test": "a"}, "test is 'a'\nPass a number as test"),
        ({"seed": 1.5}, "seed is 1.5\nPass a whole number as seed"),
        ({"output": 3}, "output is 3\nPass a path, or None as output"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_by_name(tmp_path, wrong, message):
    with pytest.raises(UsageError, match=message):
        split_sheet(**{"path": tmp_path / "sheet.csv", "test": 0.3, **wrong})


def test_sheets_of_another_content_are_kept_unless_forced(tmp_path):
    path = write(tmp_path, [f"v{number},{number % 2},g{number}" for number in range(20)])
    first = split_sheet(path, test=0.3)
    split_sheet(path, test=0.3)  # the same again
    held = first.train.read_text()
    first.test.write_text("notes of mine\n")
    with pytest.raises(UsageError) as caught:
        split_sheet(path, test=0.5)
    assert str(caught.value).startswith(
        f"{first.train}: already exists, with different content\nChoose another"
    )
    with pytest.raises(UsageError) as caught:
        split_sheet(path, test=0.3)
    assert caught.value.file == str(first.test)
    assert "overwrite it with --force" in caught.value.next_step
    assert (first.train.read_text(), first.test.read_text()) == (held, "notes of mine\n")
    split_sheet(path, test=0.5, force=True)
    assert first.train.read_text() != held
