"""Videos are known though lists and folders spell their names differently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadpipe.extract.video.names import Names, _likeness, _parted, bare, match


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Abuse028_x264.mp4", "Abuse028"),
        ("Abuse028_x264_i3d", "Abuse028"),
        ("Abuse028_x264.mp4_c3d", "Abuse028"),
        ("Abuse028__7", "Abuse028"),
        ("Normal_Videos_003_x264.mp4", "Normal003"),
        ("Normal_Videos003_x264", "Normal003"),
        ("Normal003", "Normal003"),
        ("Normal_Videos308_3_x264.mp4", "Normal308_3"),
        ("v=a__#1_label_G-0-0.mp4", "v=a__#1_label_G-0-0"),
        ("A.Film.2001__#00-01_00-02_label_A", "A.Film.2001__#00-01_00-02_label_A"),
        ("01_0014.npy", "01_0014.npy"),
        (".mp4", ".mp4"),
        ("", ""),
    ],
)
def test_the_bare_name(name, expected):
    assert bare(name) == expected


def test_a_name_is_found_by_the_most_folders_that_agree():
    names = Names(["1.mp4", "fight/1.mp4", "long/fight/1.mp4", "normal/2"])
    assert names.find("feats/calm/1") == ["1.mp4"]
    assert names.find("feats/fight/1_i3d") == ["fight/1.mp4"]
    assert names.find("long/fight/1") == ["long/fight/1.mp4"]
    assert names.find("fight/2") == names.find("3") == []
    assert names.find("1") == ["1.mp4", "fight/1.mp4", "long/fight/1.mp4"]


def test_many_are_found_among_many_and_the_rest_is_told():
    there = ["f/Abuse/Abuse001_x264_i3d", "f/Normal003", "f/Extra", "f/a/Twice", "f/b/Twice", "f/Shared"]
    wanted = [
        "Abuse/Abuse001_x264.mp4",
        "Normal_Videos_003_x264.mp4",
        "Gone",
        "Twice",
        "Shared",
        "f/Shared.mp4",
    ]
    result = match(wanted, there)
    assert result.found == {
        "Abuse/Abuse001_x264.mp4": "f/Abuse/Abuse001_x264_i3d",
        "Normal_Videos_003_x264.mp4": "f/Normal003",
    }
    assert result.missing == ["Gone"]
    assert result.ambiguous == {
        "Twice": ["f/a/Twice", "f/b/Twice"],
        "Shared": ["f/Shared"],
        "f/Shared.mp4": ["f/Shared"],
    }
    assert result.superfluous == ["f/Extra"]


def test_folders_of_ones_own_are_in_no_ones_way_but_decide_where_they_can():
    result = match(["Abuse/Abuse001.mp4"], ["UCF_Train/Abuse001_i3d"])
    assert result.found == {"Abuse/Abuse001.mp4": "UCF_Train/Abuse001_i3d"}
    assert result.elsewhere == ["Abuse/Abuse001.mp4"]
    there = ["old/Abuse001", "videos/Abuse/Abuse001"]
    assert match(["Abuse/Abuse001.mp4"], there).found == {"Abuse/Abuse001.mp4": "videos/Abuse/Abuse001"}


def test_one_name_that_is_there_twice_is_ambiguous():
    result = match(["a"], ["f/a", "f/a"])
    assert (result.found, result.ambiguous) == ({}, {"a": ["f/a", "f/a"]})
    assert match(["a", "a"], ["f/a"]).found == {"a": "f/a"}


def test_where_folders_tell_videos_apart_no_other_folder_will_do():
    result = match(["cam1/0009.mp4", "cam3/0009.mp4"], ["cam1/0009.mp4"])
    assert result.found == {"cam1/0009.mp4": "cam1/0009.mp4"}
    assert (result.missing, result.elsewhere) == (["cam3/0009.mp4"], [])
    result = match(["cam3/0009.mp4"], ["cam1/0009.mp4", "cam2/0009.mp4"])
    assert result.ambiguous == {"cam3/0009.mp4": ["cam1/0009.mp4", "cam2/0009.mp4"]}


def test_a_name_that_is_written_the_same_goes_before_one_that_is_only_alike():
    there = ["v/cam_rgb.mp4", "v/cam_flow.mp4", "v/a.mp4", "v/a.avi", "v/clip__1.mp4", "v/clip__2.mp4"]
    assert match([name.removeprefix("v/") for name in there], there).found == {
        name.removeprefix("v/"): name for name in there
    }
    assert match(["cam_rgb", "clip__2"], there).found == {
        "cam_rgb": "v/cam_rgb.mp4",
        "clip__2": "v/clip__2.mp4",
    }
    assert match(["a"], there).ambiguous == {"a": ["v/a.mp4", "v/a.avi"]}
    assert match(["cam"], there).ambiguous == {"cam": ["v/cam_rgb.mp4", "v/cam_flow.mp4"]}


def test_one_crop_is_not_another():
    assert Names(["clip__1.mp4"]).find("clip__2.mp4") == []
    assert (
        Names(["clip__1.mp4"]).find("clip") == Names(["clip__1.mp4"]).find("clip__1_i3d") == ["clip__1.mp4"]
    )


def slow_find(names, name):
    """Look at every name; the rule as the documentation of the module has it."""
    folders, last = _parted(name)
    same = [known for known in names if known == name]
    if same:
        return same
    fits = []
    for known in names:
        others, other = _parted(known)
        depth = min(len(others), len(folders))
        agree = others[len(others) - depth :] == folders[len(folders) - depth :]
        if bare(other) == bare(last) and agree and _likeness(last, other):
            fits.append((_likeness(last, other), depth, known))
    best = max((fit[:2] for fit in fits), default=None)
    return [known for *rank, known in fits if tuple(rank) == best]


@given(
    st.lists(
        st.builds(
            lambda folders, last: "/".join([*folders, last]),
            st.lists(st.sampled_from(["a", "b", "v"]), max_size=3),
            st.sampled_from(["1.mp4", "1.avi", "1", "1_i3d", "1_x264.mp4", "2.mp4", "1__0", "1__1"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_what_is_found_is_what_a_look_at_every_name_finds(names):
    for count in range(len(names)):
        known, asked = names[:count], names[count:]
        assert [Names(known).find(name) for name in asked] == [slow_find(known, name) for name in asked]
