"""Secrets in addresses and in the environment."""

import pytest

from vadpipe.runs.masking import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://admin:s3cret@cam.local/1 is no file", "rtsp://***@cam.local/1 is no file"),
        ("rtsp:/admin:s3cret@cam.local/1", "rtsp:/***@cam.local/1"),  # as a path has it
        ("rtsp://admin:p@ss@cam.local/1", "rtsp://***@cam.local/1"),
        ("https://x.org/a.mp4?token=s3cret&b=1 or", "https://x.org/a.mp4?*** or"),
        ("http://x.org/a.mp4", "http://x.org/a.mp4"),
        ("videos/a@b.mp4?", "videos/a@b.mp4?"),
        ("features made at 12:30/13:00", "features made at 12:30/13:00"),
    ],
)
def test_addresses(text, shown):
    assert masked(text) == shown


def test_secrets_of_the_environment(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefgh")
    monkeypatch.setenv("DB_PASSWORD", "true")  # too short to be told from a word
    monkeypatch.setenv("EDITOR", "nano-of-mine")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountKey=abc")
    assert masked("AccountKey=abc;") == "***;"
    assert masked("hf_abcdefgh is true of nano-of-mine") == "*** is true of nano-of-mine"
