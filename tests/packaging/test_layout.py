"""The layout: three top folders, one import root, and guards for what could quietly go wrong."""

import configparser
import subprocess
import sys

import pytest

import vadpipe
from support.commands import start
from support.environment import ROOT


@pytest.fixture(scope="module")
def metadata():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_is_listed_and_every_listed_one_exists(metadata):
    listed = set(metadata["options"]["packages"].split())
    found = set()
    for top, name in (("vadpipe", "vadpipe"), ("extract", "vadpipe.extract"), ("weights", "vadpipe.weights")):
        for init in (ROOT / top).rglob("__init__.py"):
            below = init.parent.relative_to(ROOT / top).parts
            if not any((ROOT / top).joinpath(*below[: i + 1]).is_symlink() for i in range(len(below))):
                found.add(".".join([name, *below]))
    assert listed == found


@pytest.mark.parametrize("name", ["extract", "weights"])
def test_mapped_folders_are_reached_by_a_symlink_too(name, metadata):
    assert f"vadpipe.{name} = {name}" in metadata["options"]["package_dir"]
    link = ROOT / "vadpipe" / name
    assert link.is_symlink()
    assert link.resolve() == ROOT / name


def test_no_module_is_loaded_twice_under_a_generic_name():
    code = (
        "import pkgutil, importlib, sys, vadpipe\n"
        "for module in pkgutil.walk_packages(vadpipe.__path__, 'vadpipe.'):\n"
        "    if module.name.split('.')[-1] not in ('__main__', 'torchcodec_decoder'):  # one runs, one needs torchcodec\n"
        "        importlib.import_module(module.name)\n"
        "generic = [m for m in sys.modules if m.split('.')[0] in ('extract', 'weights')]\n"
        "assert not generic, generic\n"
        "assert 'pytorchvideo.transforms' not in sys.modules"
    )
    done = start(code, cwd=ROOT).wait()
    assert done.returncode == 0, done.stderr


def test_public_names_load_and_are_listed():
    assert sorted(vadpipe.__all__) == vadpipe.__all__
    for name in vadpipe.__all__:
        assert getattr(vadpipe, name).__name__ == name
        assert getattr(vadpipe, name).__doc__
    assert vadpipe.extract.__name__ == "vadpipe.extract"  # the subpackage owns this name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        vadpipe.nothing  # noqa: B018


def test_importing_vadpipe_loads_no_torch():
    code = "import sys, vadpipe; assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_decord_does_not_pull_in_the_cuda_libraries_that_break_torch():
    code = (
        "from vadpipe.extract.video.decord_decoder import import_decord\n"
        "import_decord()\n"
        "import torch\n"
        "assert (torch.ones(64, 64) @ torch.ones(64, 64)).sum() == 64**3\n"
        "assert 'libnvblas' not in open('/proc/self/maps').read()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_source_file_is_longer_than_600_lines():
    sources = [
        path
        for top in ("vadpipe", "extract", "weights", "tests", "examples", "benchmarks")
        for path in (ROOT / top).rglob("*.py")
    ]
    assert {
        path.name: len(path.read_text().splitlines())
        for path in sources
        if len(path.read_text().splitlines()) > 600
    } == {}
