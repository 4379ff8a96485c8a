"""The command line with addresses: no secret is told, and a killed run goes on where it stopped."""

import os
import re
import signal
import time

import pytest

from support.commands import COMMAND_LINE, assert_clean_error, run, start
from support.feature_files import write_features
from support.head_settings import QUICK
from support.videos import write_video
from support.waiting import wait_until

SECRET = re.compile(r"s3cret|access-key-of-a-test")


@pytest.fixture
def options(x3d_weights):
    return ["--backbone", "x3d_xs", "--weights", x3d_weights]


def test_secrets_are_in_no_output_and_no_object(bucket, web, options, tmp_path):
    web.files["/v/a.mp4"] = write_video(tmp_path / "a.mp4", 32).read_bytes()
    address = f"https://name:s3cret@{web.host}/v/{{}}.mp4?X-Amz-Signature=s3cret&id=1"
    (tmp_path / "list.txt").write_text(f"{address.format('a')}\n{address.format('none')}\n")
    asked = ["extract", "@list.txt", address.format("b"), "-o", bucket.address("features"), *options]
    for how in (["--log-json", "-v"], ["-vv"], ["--dry-run"], ["--status"]):
        done = run(*asked, *how, cwd=tmp_path)
        assert done.returncode == 3, done.stderr
        assert f"https://{web.host}/v/none.mp4" in done.stdout + done.stderr
        assert not SECRET.search(done.stdout + done.stderr), how
    kept = [key for key in bucket.names(hidden=True) if "features/" in key]
    assert "features/v/a.mp4.safetensors" in kept
    for key in kept:
        assert not SECRET.search(key)
        assert not re.search(rb"s3cret|access-key-of-a-test", bucket.get(key)), key
    assert any("X-Amz-Signature=s3cret" in line for line in web.requests)  # it was used


@pytest.mark.parametrize("how", [[], ["-vv"], ["--log-json"]])
def test_a_failure_of_a_server_tells_no_secret(web, options, tmp_path, how):
    web.files["/a.mp4"] = b""
    web.faults = [403] * 99
    address = f"https://name:s3cret@{web.host}/a.mp4?sig=s3cret"
    done = run("extract", address, "-o", "features", *options, *how, cwd=tmp_path)
    assert done.returncode == 4
    assert f"https://{web.host}/a.mp4" in done.stderr
    assert "access is denied" in done.stderr
    assert not SECRET.search(done.stdout + done.stderr)
    if not how:
        assert_clean_error(done, 4, "cannot be read: access is denied", "may have expired")


def test_a_password_in_the_address_of_a_bucket_is_refused(bucket, options, tmp_path):
    done = run("extract", "s3://key:s3cret@bucket/v", *options, cwd=tmp_path)
    assert_clean_error(done, 2, "s3://bucket/v: holds a name or a password", "in the environment")
    assert not SECRET.search(done.stderr)


def test_a_killed_run_goes_on_where_it_stopped(bucket, options, tmp_path):
    for name in "abc":
        bucket.put(f"videos/{name}.mp4", write_video(tmp_path / f"{name}.mp4", 32))
    asked = ["extract", bucket.address("videos"), "-o", bucket.address("features"), *options]
    uploaded = f"PUT /{bucket.name}/features/videos/a.mp4"
    bucket.store.faults.append(lambda line: time.sleep(0.2) if uploaded in line else None)
    running = start(
        f"import os; open('pid', 'w').write(str(os.getpid()))\n{COMMAND_LINE}", *asked, cwd=tmp_path
    )
    wait_until(
        lambda: any(key.endswith("a.mp4.safetensors") for key in bucket.names()), "the first is written"
    )
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    running.wait()
    bucket.store.faults.clear()
    first = bucket.get("features/videos/a.mp4.safetensors")
    bucket.requests()
    done = run(*asked, "-v", cwd=tmp_path)
    assert done.returncode == 0
    assert re.search(r"[12] extracted, [12] already done, 0 failed: s3://", done.stderr)
    assert not bucket.requests(f"GET /{bucket.name}/videos/a.mp4")
    assert bucket.get("features/videos/a.mp4.safetensors") == first
    assert len([key for key in bucket.names() if key.endswith(".safetensors")]) == 3


def test_a_head_is_trained_on_remote_features(bucket, tmp_path):
    import vadpipe

    folder = tmp_path / "features"
    for kind in ("normal", "fight"):
        write_features(folder, kind, 5)
    for path in folder.rglob("*.safetensors"):
        bucket.put(f"features/{path.relative_to(folder)}", path)
    local = vadpipe.fit(folder, output=tmp_path / "local", settings=QUICK)
    remote = vadpipe.fit(bucket.address("features"), output=tmp_path / "remote", settings=QUICK)
    assert remote.head.read_bytes() == local.head.read_bytes()
    record = (tmp_path / "remote/run.json").read_text()
    assert f'"file": "{bucket.address("features")}"' in record
    assert "features-" not in record


@pytest.mark.parametrize("how", [[], ["--log-json"]])
def test_an_error_in_remote_features_is_about_their_address(bucket, tmp_path, how):
    """The local copy that was read is gone by then."""
    write_features(tmp_path / "features", "normal", 2)
    for path in (tmp_path / "features").rglob("*.safetensors"):
        bucket.put(f"features/{path.name}", path)
    bucket.put("features/x/broken.safetensors", b"x" * 64)
    for _ in range(2):
        told = run("fit", "--features", bucket.address("features"), "-o", "head", *how, cwd=tmp_path)
        assert told.returncode == 2
        assert f"{bucket.address('features')}/x/broken.safetensors" in told.stderr
        assert "features-" not in told.stderr


def test_a_run_on_addresses_is_repeated_unless_a_video_is_another_version(bucket, options, tmp_path):
    for name in "ab":
        bucket.put(f"videos/{name}.mp4", write_video(tmp_path / f"{name}.mp4", 32))
    out = bucket.address("features")
    run("extract", bucket.address("videos"), "-o", out, "--shard", "1/1", *options, cwd=tmp_path)
    (key,) = [key for key in bucket.names() if "/run-1-of-1-" in key]
    (tmp_path / "run.json").write_bytes(bucket.get(key))
    again = run("rerun", "run.json", "-o", "again", "--trust", cwd=tmp_path)
    assert "2 of 2 results are the same bytes" in again.stderr, again.stderr
    content = bytearray(bucket.get("videos/a.mp4"))
    content[-1] ^= 1
    bucket.put("videos/a.mp4", bytes(content))
    again = run("rerun", "run.json", "-o", "again", "--trust", cwd=tmp_path)
    assert again.returncode == 2
    assert f"video {bucket.address('videos/a.mp4')} is another version" in again.stderr


def test_status_of_scores_names_the_folder_by_its_address(bucket, tmp_path):
    bucket.put("videos/a.mp4", write_video(tmp_path / "a.mp4", 8))
    told = run("score", bucket.address("videos"), "-o", bucket.address("scores"), "--status", cwd=tmp_path)
    assert told.returncode == 4
    assert told.stdout == f"missing\t{bucket.address('videos/a.mp4')}\t\n"
    assert told.stderr == f"0 done, 0 failed, 1 missing: {bucket.address('scores')}\n"
