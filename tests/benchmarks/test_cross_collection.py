"""The benchmark by which defaults change: how clips are joined, who is tested, and what its figures are."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from support.decoding import player
from support.samples import sample
from support.videos import read_counter, write_video
from vadpipe.ablation.runs import Run, TrainingRecord
from vadpipe.annotations.truth import Truth
from vadpipe.head.settings import HeadSettings


def row(file, label):
    return {"file": file, "label": str(label)}


def test_clips_are_joined_calm_fight_calm():
    from footage import in_order

    rows = [row("f2", 1), row("n3", 0), row("n1", 0), row("f1", 1), row("n2", 0)]
    assert [clip["file"] for clip in in_order(rows)] == ["n1", "n2", "f1", "f2", "n3"]
    assert [clip["file"] for clip in in_order([row("f1", 1), row("n1", 0)])] == ["n1", "f1"]
    assert [clip["file"] for clip in in_order([row("n2", 0), row("n1", 0)])] == ["n1", "n2"]


def test_joined_clips_have_25_frames_a_second_and_the_truth_of_their_labels(tmp_path):
    from footage import join_recordings

    data = tmp_path / "town"
    write_video(data / "fight/a.mp4", 20, rate=10)  # two seconds
    write_video(data / "noFight/b.mp4", 30, rate=30)  # one second
    write_video(data / "noFight/c.mp4", 25, rate=25)
    with (data / "scene_groups.csv").open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["file", "label", "scene_group"])
        writer.writerows([["fight/a.mp4", 1, 7], ["noFight/b.mp4", 0, 7], ["noFight/c.mp4", 0, 7]])
    (truth,) = join_recordings(data, tmp_path / "videos", (160, 120))
    assert truth == Truth("town/007.mp4", 100, ((25, 75),), group="town 7")
    times_s, pictures = player(tmp_path / "videos/007.mp4")
    np.testing.assert_allclose(times_s, np.arange(100) / 25, atol=1e-6)
    shown = [read_counter(picture) for picture in pictures]
    # What a player shows at each 25th of a second of each clip.
    assert shown == [
        *(int(number / 25 * 30 + 1e-6) for number in range(25)),
        *(int(number / 25 * 10 + 1e-6) for number in range(50)),
        *range(25),
    ]


@pytest.fixture
def videos():
    from protocols import Videos

    rng = np.random.default_rng(0)
    samples = {}
    for number in range(16):
        marks = np.zeros(160, int)
        if number % 2:
            marks[32:96] = 1
        name = f"vioperu/{number:03d}.mp4"
        samples[name] = sample(name, marks[: int(rng.integers(100, 160))], f"vioperu {number // 2}")
    return Videos(samples, {}, {})


def test_rows_of_published_features_lie_on_the_frames_that_they_were_made_of(data):
    from protocols import load_ucf_x3d

    from vadpipe.evaluation.metrics import frame_metrics

    videos = load_ucf_x3d(data / "ucf_x3d")
    judged = []
    for name, of_video in videos.samples.items():
        assert len(of_video.spans) == videos.bags[name].values.shape[1]
        marks = of_video.truth.frames()
        judged.append(of_video.judged(np.array([marks[a:b].mean() for a, b in of_video.spans], np.float32)))
    figures = frame_metrics(judged)
    assert figures.n_videos == 99
    assert figures.auc > 0.999  # a head that knew the truth of each row
    assert figures.ap > 0.999


def test_folds_part_no_recording_and_test_each_video_once(videos, tmp_path):
    from protocols import PROTOCOLS, splits

    (protocol,) = [p for p in PROTOCOLS if p.name == "vioperu"]
    found = [*splits(protocol, videos, tmp_path, 2)]
    assert [(split.seed, split.fold) for split in found] == [(s, f) for s in range(2) for f in range(4)]
    for seed in range(2):
        tested = [name for split in found if split.seed == seed for name in split.test]
        assert sorted(tested) == sorted(videos.samples)
    for split in found:
        groups = [{videos.samples[name].truth.group for name in part} for part in (split.train, split.test)]
        assert not groups[0] & groups[1]
        assert {*split.train} | {*split.test} == {*videos.samples}


def test_from_one_collection_to_the_other_nothing_is_shared(videos, tmp_path):
    from protocols import PROTOCOLS, Videos, splits

    both = Videos(dict(videos.samples) | {"fight_surv/001.mp4": sample("x", np.ones(20, int), None)}, {}, {})
    (protocol,) = [p for p in PROTOCOLS if p.name == "fight_surv-vioperu"]
    (split,) = splits(protocol, both, tmp_path, 1)
    assert split.train == ("fight_surv/001.mp4",)
    assert split.test == tuple(videos.samples)


@pytest.fixture
def runs(videos, tmp_path):
    from protocols import PROTOCOLS, splits

    (protocol,) = [p for p in PROTOCOLS if p.name == "vioperu"]
    rng, made = np.random.default_rng(1), {}
    for split in splits(protocol, videos, tmp_path, 2):
        scores = [rng.random(len(videos.samples[name].spans)).astype(np.float32) for name in split.test]
        record = TrainingRecord(
            key="x", settings=HeadSettings(), fold=split.fold, seed=split.seed, videos=split.test,
            n_snippets=tuple(map(len, scores)), threshold=0.5, steps={"selected": 1}, test_auc={}, history=[],
        )  # fmt: skip
        made[split] = Run(record, {"selected": scores})
    return made


def test_figures_are_those_of_scikit_learn(videos, runs):
    from protocols import Protocol
    from verdict import tested

    protocol = Protocol("vioperu", "", ("auc", "ap", "auc_abnormal", "within"))
    found = tested(protocol, videos, runs, 0)
    per_seed = {name: [] for name in protocol.figures}
    for seed in range(2):
        folds = {name: [] for name in protocol.figures}
        for split, run in runs.items():
            if split.seed != seed:
                continue
            curves = {
                name: np.repeat(scores, 16)[: videos.samples[name].truth.n_frames]
                for name, scores in zip(split.test, run.scores["selected"], strict=True)
            }
            marks = {name: videos.samples[name].truth.frames() for name in split.test}
            abnormal = [name for name in split.test if marks[name].any()]
            pool = lambda names, of: np.concatenate([of[name] for name in names])  # noqa: E731
            folds["auc"].append(roc_auc_score(pool(split.test, marks), pool(split.test, curves)))
            folds["ap"].append(average_precision_score(pool(split.test, marks), pool(split.test, curves)))
            folds["auc_abnormal"].append(roc_auc_score(pool(abnormal, marks), pool(abnormal, curves)))
            folds["within"].append(np.mean([roc_auc_score(marks[name], curves[name]) for name in abnormal]))
        for name in protocol.figures:
            per_seed[name].append(np.mean(folds[name]))
    for name in protocol.figures:
        np.testing.assert_allclose(found.per_seed[name], per_seed[name])
        assert found.figures[name][0] == pytest.approx(np.mean(per_seed[name]))
    assert found.n_recordings == 8


def test_intervals_draw_recordings_and_settings_share_the_draws(videos, runs):
    from protocols import Protocol
    from verdict import tested

    protocol = Protocol("vioperu", "", ("within",))
    found, again = (tested(protocol, videos, runs, 40).figures["within"] for _ in range(2))
    np.testing.assert_array_equal(found, again)
    assert len({*found.round(9).tolist()}) > 20
    assert found[1:].min() < found[0] < found[1:].max()


def test_the_table_ranks_settings_over_all_protocols():
    from verdict import Tested, table

    def of(*values):
        names = ("fight_surv", "vioperu", "urfall")
        figures = [("auc", "auc_abnormal"), ("auc", "within"), ("within",)]
        return {
            name: Tested({figure: np.array([value, value]) for figure in of_protocol}, {}, 3)
            for name, of_protocol, value in zip(names, figures, values, strict=True)
        }

    text = table({"a": of(0.9, 0.5, 0.6), "b": of(0.8, 0.7, 0.6), "c": of(0.7, 0.6, 0.5)}, "a")
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in text.splitlines()}
    ends = [line.strip("| ").split(" | ")[-2:] for line in text.splitlines()[2:5]]
    assert ends == [["1.83", "-0.200"], ["1.50", "-0.100"], ["2.67", "-0.200"]]
    assert rows["b"][2].startswith("+0.200 (+0.200 to +0.200)")


def test_settings_of_other_features_do_not_share_a_folder():
    from settings_compared import DEFAULTS, SETTINGS, Setting

    from vadpipe import ExtractSettings

    others = [
        dict(fps=10.0),
        dict(window=64),
        dict(stride=16),
        dict(view="centre"),
        dict(crops=5),
        dict(crops=10),
    ]
    others.append(dict(precision="float32"))
    folders = [Setting("x", ExtractSettings(**options)).folder for options in others]
    assert len({SETTINGS[DEFAULTS].folder, *folders}) == 1 + len(others)


def test_a_run_is_known_by_all_that_it_depends_on(videos, tmp_path):
    from cross_collection import jobs_of
    from protocols import PROTOCOLS, Videos
    from settings_compared import DEFAULTS, SETTINGS, Setting

    (protocol,) = [p for p in PROTOCOLS if p.name == "vioperu"]
    options = SimpleNamespace(data=tmp_path, seeds=1, work=tmp_path, device="cpu")
    digests = {name: name for name in videos.samples}

    def keys(setting=SETTINGS[DEFAULTS], **changed):
        known = Videos(videos.samples, {}, digests | changed)
        return [job.key for job in jobs_of(protocol, setting, known, options).values()]

    assert keys() == keys(Setting("another name"))
    assert not {*keys()} & {*keys(Setting("x", head=HeadSettings(whole_bag_weight=0.5)))}
    # Every fold learns from that video, or is tested on it.
    assert not {*keys()} & {*keys(**{"vioperu/003.mp4": "other"})}
