"""What kernels of each version of Landlock are asked for, by what the kernel's guide says that they know."""

import ctypes
import os

import pytest

from vadpipe.extract.video.sandbox import landlock
from vadpipe.extract.video.sandbox.landlock import READ, READ_FOLDER, WRITE, Grant, opened, restrict_files

# include/uapi/linux/landlock.h
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
FIRST = (1 << 13) - 1  # up to the making of symbolic links
RIGHTS = {
    1: FIRST,
    2: FIRST | REFER,
    3: FIRST | REFER | TRUNCATE,
    4: FIRST | REFER | TRUNCATE,
    5: FIRST | REFER | TRUNCATE | IOCTL_DEV,
    6: FIRST | REFER | TRUNCATE | IOCTL_DEV,
    9: FIRST | REFER | TRUNCATE | IOCTL_DEV,
}


class Kernel:
    """Answers like a kernel of that version, and notes what it was asked."""

    def __init__(self, version, refuses=None):
        self.version, self.refuses = version, refuses
        self.ruleset, self.rules, self.restricted, self.opened = None, [], 0, None

    def __call__(self, number, *arguments):
        if number == 444 and arguments == (None, 0, 1):
            return self.version or -1
        if number == self.refuses:
            ctypes.set_errno(22)
            return -1
        if number == 444:
            asked, size, flags = arguments
            self.ruleset = [*memoryview(bytes(asked._obj)[:size]).cast("Q")]
            assert (size % 8, flags) == (0, 0)
            self.opened = os.open(os.devnull, os.O_RDONLY)
            return self.opened
        if number == 445:
            ruleset, kind, rule, flags = arguments
            assert (ruleset, kind, flags) == (self.opened, 1, 0)
            self.rules.append((rule._obj.allowed_access, rule._obj.parent_fd))
            return 0
        assert (number, arguments) == (446, (self.opened, 0))
        self.restricted += 1
        return 0


def asked(monkeypatch, version, grants=(), **options):
    kernel = Kernel(version, **options)
    monkeypatch.setattr(landlock, "_call", kernel)
    return kernel, restrict_files(grants)


@pytest.mark.parametrize("version", RIGHTS)
def test_each_version_is_asked_for_all_that_it_can_deny(monkeypatch, version):
    kernel, in_force = asked(monkeypatch, version)
    assert in_force is True
    expected = [RIGHTS[version]]
    if version >= 4:
        expected.append(3)  # to bind and to connect TCP
    if version >= 6:
        expected.append(3)  # abstract sockets and signals
    assert kernel.ruleset == expected
    assert kernel.restricted == 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(kernel.opened)


def test_a_kernel_without_it_is_asked_for_nothing(monkeypatch):
    kernel, in_force = asked(monkeypatch, 0)
    assert in_force is False
    assert (kernel.ruleset, kernel.restricted) == (None, 0)
    assert landlock.landlock_version() == 0


@pytest.mark.parametrize("version", [1, 3])
def test_what_is_granted_is_no_more_than_the_version_knows(monkeypatch, version):
    assert (READ, READ_FOLDER, WRITE) == (READ_FILE, READ_FILE | READ_DIR, READ_FILE | WRITE_FILE | TRUNCATE)
    kernel, _ = asked(monkeypatch, version, [Grant(7, READ), Grant(8, READ_FOLDER), Grant(9, WRITE)])
    assert kernel.rules == [
        (right & RIGHTS[version], n) for n, right in ((7, READ), (8, READ_FOLDER), (9, WRITE))
    ]


@pytest.mark.parametrize("refuses", [444, 445, 446])
def test_a_refusal_is_an_error(monkeypatch, refuses):
    with pytest.raises(OSError, match="Landlock: Invalid argument") as caught:
        asked(monkeypatch, 3, [Grant(7, READ)], refuses=refuses)
    assert caught.value.errno == 22


def test_a_grant_is_of_a_path_and_closed_again(tmp_path):
    (tmp_path / "a").touch()
    folder = os.open(tmp_path, os.O_RDONLY)
    for path, beside in ((tmp_path / "a", None), ("a", folder)):
        with opened(path, READ, folder=beside) as grant:
            assert grant.rights == READ
            assert os.path.samestat(os.fstat(grant.descriptor), (tmp_path / "a").stat())
            assert os.get_inheritable(grant.descriptor) is False
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(grant.descriptor)
    os.close(folder)
