"""Promise: a text that makes a decoder read other files is refused, and what it names is never opened."""

import base64
import socket

import av
import pytest

from support.decoding import BACKENDS, counters, decode
from support.file_access import listening, watched_file
from support.videos import write_video
from vadpipe.errors import InputError
from vadpipe.extract.video import container
from vadpipe.extract.video.timeline_reader import read_timeline

MPD = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"
 type="static" mediaPresentationDuration="PT2S"><Period duration="PT2S"><AdaptationSet mimeType="video/mp4">
<Representation id="1" bandwidth="1000" width="160" height="120" codecs="avc1.64000b">
<BaseURL>{url}</BaseURL></Representation></AdaptationSet></Period></MPD>
"""
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{url}\n#EXT-X-ENDLIST\n"
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n"


def disguises(secret, port):
    """Return twelve texts that refer to the secret file or the server, by name."""
    inline = base64.b64encode(secret.read_bytes()).decode()
    return {
        "ffconcat, relative": f"ffconcat version 1.0\nfile {secret.name}\n",
        "ffconcat, absolute": f"ffconcat version 1.0\nfile '{secret}'\n",
        "hls, relative": HLS.format(url=secret.name),
        "hls, absolute": HLS.format(url=f"file://{secret}"),
        "hls, http": HLS.format(url=f"http://127.0.0.1:{port}/a.ts"),
        "hls, data": HLS.format(url=f"data:video/mp2t;base64,{inline}"),
        "dash": MPD.format(url=f"http://127.0.0.1:{port}/a.mp4"),
        "sdp": SDP.format(port=port),
        "subfile": f"subfile,,start,0,end,9999,,:{secret}\n",
        "subtitles": f"1\n00:00:00,000 --> 00:00:01,000\n{{\\an8}}{secret}\n",
        "image pattern": f"{secret.parent}/%*.mp4\n",
        "prose": f"Please play {secret} for me.\n",
    }


KINDS = [
    "ffconcat, relative",
    "ffconcat, absolute",
    "hls, relative",
    "hls, absolute",
    "hls, http",
    "hls, data",
    "dash",
    "sdp",
    "subfile",
    "subtitles",
    "image pattern",
    "prose",
]


@pytest.fixture
def secret(tmp_path):
    return write_video(tmp_path / "secret.mp4", 20)


def test_the_watch_sees_who_opens_a_file_and_the_server_who_calls(secret):
    with watched_file(secret) as touched, listening() as (port, asked):
        assert not touched()
        assert len(decode(secret)[1]) == 20  # from another process
        assert touched()
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.send(b"hello")
            connection.recv(1)
        assert asked == [b"hello"]


def test_without_a_check_the_secret_would_be_read(tmp_path, secret):
    path = tmp_path / "clip.mp4"
    path.write_text(disguises(secret, 0)["ffconcat, relative"])
    with watched_file(secret) as touched, av.open(path) as container:
        assert len(list(container.decode(video=0))) == 20
        assert touched()


@pytest.mark.parametrize("decoder", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_disguised_text_is_refused(tmp_path, secret, decoder, kind):
    with listening() as (port, asked), watched_file(secret) as touched:
        path = tmp_path / "clip.mp4"
        path.write_text(disguises(secret, port)[kind])
        touched()  # the disguise that holds the file has read it
        with pytest.raises(InputError, match=r"clip\.mp4: is not a video: it begins with text") as caught:
            decode(path, decoder)
        assert "convert others with ffmpeg" in caught.value.next_step
        assert not touched()
        assert asked == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_demuxer_by_itself_refuses_the_text_too(tmp_path, secret, kind, monkeypatch):
    with listening() as (port, asked), watched_file(secret) as touched:
        path = tmp_path / "clip.mp4"
        path.write_text(disguises(secret, port)[kind])
        touched()
        for family in sorted(
            {*container.FAMILIES} - {"images"}
        ):  # each demuxer by itself makes nothing of it
            monkeypatch.setattr(container, "BEGINNINGS", [(family, lambda head: True)])
            with pytest.raises(InputError, match=r"clip\.mp4: (cannot be opened|has no)"):
                read_timeline(path)
        assert not touched()
        assert asked == []


def in_a_box(kind, text, size):
    return size.to_bytes(4, "big") + kind + text


def between_packets(text):
    """Return a text with the letter that begins a packet of a transport stream where each would begin."""
    content = bytearray(b"G" + text.encode() + b"\n" * 3000)
    for at in range(0, len(content), 188):
        content[at] = 0x47
    return bytes(content)


def polyglots(secret, port):
    texts = (HLS.format(url=f"file://{secret}"), MPD.format(url=f"http://127.0.0.1:{port}/a.mp4"))
    concat = f"ffconcat version 1.0\nfile '{secret}'\n"
    for text in (*texts, concat, SDP.format(port=port)):
        yield between_packets(text)
        yield b"\0\0\0\x01" + between_packets(text)  # M2TS has its sync bytes 192 apart
        yield b"\x1a\x45\xdf\xa3" + text.encode()
        yield b"RIFF\n\n\n\nAVI " + text.encode()
        for kind in (b"mdat", b"free", b"skip", b"wide"):
            yield in_a_box(kind, text.encode(), 0x01010101)
            yield in_a_box(kind, b"\0\0\0\1" + text.encode(), 12) + text.encode()
            yield b"<!--" + kind + b"-->" + text.encode()


def test_bytes_of_a_video_before_a_text_open_nothing_either(tmp_path, secret):
    path = tmp_path / "clip.mp4"
    with listening() as (port, asked), watched_file(secret) as touched:
        for content in polyglots(secret, port):
            path.write_bytes(content)
            with pytest.raises(InputError, match="is not a video|cannot be opened|has no"):
                decode(path, "decord")
        assert not touched()
        assert asked == []


@pytest.mark.parametrize("kind", [b"free", b"skip", b"wide", b"mdat"])
def test_a_box_of_text_is_no_beginning_of_a_video(tmp_path, kind):
    path = tmp_path / "clip.mp4"
    path.write_bytes(in_a_box(kind, MPD.encode(), 0x01010101))
    with pytest.raises(InputError, match="is not a video"):
        container.sniff(path)


def behind(front, video):
    """Return a whole MP4 file behind other bytes, with its table of chunks moved accordingly."""
    content = bytearray(video)
    table = content.index(b"stco")
    for entry in range(int.from_bytes(content[table + 8 : table + 12], "big")):
        at = table + 12 + 4 * entry
        content[at : at + 4] = (int.from_bytes(content[at : at + 4], "big") + len(front)).to_bytes(4, "big")
    return front + bytes(content)


@pytest.mark.parametrize("decoder", BACKENDS)
def test_a_video_that_is_also_a_playlist_is_played_as_a_video_or_not_at_all(tmp_path, secret, decoder):
    video = write_video(tmp_path / "plain.mp4", 16).read_bytes()
    path = tmp_path / "clip.mp4"
    with listening() as (port, asked), watched_file(secret) as touched:
        for text in (MPD.format(url=f"http://127.0.0.1:{port}/a.mp4"), "\n" + SDP.format(port=port)):
            # A size without a zero byte, or a reader of text would stop there; and a byte that is no text.
            front = in_a_box(b"free", b"\x80" + text.encode(), 0x01010101).ljust(0x01010101, b"\n")
            path.write_bytes(behind(front, video))
            try:
                assert counters(decode(path, decoder)[1]) == list(range(16))
            except InputError:
                assert decoder == "torchcodec"  # its FFmpeg may take the playlist, which it cannot parse
        assert not touched()
        assert asked == []


@pytest.mark.parametrize("decoder", BACKENDS)
@pytest.mark.parametrize(
    "name", ["concat:secret.mp4|b.mp4", "-i.mp4", "http:x.mp4", "%03d.mp4", "pipe:0", "a?b#c"]
)
def test_a_name_is_only_a_name(tmp_path, secret, decoder, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "plain.mp4", 16).rename(name)
    with watched_file(secret) as touched:
        assert counters(decode(name, decoder)[1]) == list(range(16))
        assert not touched()


def test_a_link_is_followed_to_a_video_and_to_nothing_else(tmp_path, secret):
    link = tmp_path / "clip.mp4"
    link.symlink_to(secret)
    assert len(decode(link)[1]) == 20
    link.unlink()
    (tmp_path / "passwords").write_text("root:x:0:0\n")
    link.symlink_to(tmp_path / "passwords")
    with pytest.raises(InputError, match="is not a video: it begins with text"):
        decode(link)
