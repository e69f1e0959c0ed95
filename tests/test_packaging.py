"""What is installed: a wheel, a source archive and an editable install, built here, tried in fresh venvs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from textwrap import dedent
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("mteb_hybrid", "tasks", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE")
STARTUP_FILES = ("mteb_hybrid.pth", "mteb_hybrid.start")
JUNK = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")

pytest.importorskip("setuptools", "77.0.3", "the build backend is missing, or too old for pyproject.toml")
pytest.importorskip("pip", reason="pip is missing")


def call(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run a command outside the source tree and return what it prints; it must succeed."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MTEB", "VIRTUAL", "COV"))}
    process = subprocess.run(
        command, cwd=cwd, env={**clean, **env}, capture_output=True, text=True, timeout=300, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def build(kind: str, source: Path, into: Path) -> Path:
    """Have the backend build a "wheel", "sdist" or "editable" of a source tree."""
    into.mkdir(exist_ok=True)
    code = f"from setuptools import build_meta; build_meta.build_{kind}({str(into)!r})"
    call(sys.executable, "-c", code, cwd=source)
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the source tree, so that nothing is built in the tree itself.

    Its registry is a stub: the environments here have neither mteb nor anything else that it needs.
    """
    copy = tmp_path_factory.mktemp("source")
    for name in (*SOURCES, *STARTUP_FILES):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=JUNK)
        else:
            shutil.copy(ROOT / name, copy)
    (copy / "mteb_hybrid" / "registry.py").write_text("def register():\n    print('registered')\n")
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel."""
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def editable(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of an editable install."""
    return build("editable", source, tmp_path_factory.mktemp("editable"))


def contents(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel, without those that name its build."""
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/RECORD")}


def test_the_wheel_holds_what_it_should(wheel: Path, source: Path) -> None:
    files = contents(wheel)
    expected = {
        f"mteb_hybrid/{folder}{path.relative_to(source / root).as_posix()}"
        for root, folder in (("mteb_hybrid", ""), ("tasks", "tasks/"))
        for path in (source / root).rglob("*")
        if path.suffix in {".py", ".css", ".html", ".js", ".json", ".md", ".toml", ".yaml"} or path.name == "py.typed"
    }
    packed = {name for name in files if ".dist-info/" not in name}
    assert packed == expected | set(STARTUP_FILES)
    assert {"mteb_hybrid/py.typed", "mteb_hybrid/tasks/__init__.py"} <= packed
    assert all(files[name] == (ROOT / name).read_bytes() for name in STARTUP_FILES)


def test_the_wheel_tells_its_licence_and_command(wheel: Path) -> None:
    info = {name.split("/", 1)[1]: text.decode() for name, text in contents(wheel).items() if "-info/" in name}
    assert "License-Expression: Apache-2.0" in info["METADATA"]
    assert "Apache License" in info["licenses/LICENSE"]
    assert "mteb-hybrid = mteb_hybrid.cli:main" in info["entry_points.txt"]
    assert info["top_level.txt"].split() == ["mteb_hybrid"]


def test_a_source_archive_builds_the_same_wheel(wheel: Path, source: Path, tmp_path: Path) -> None:
    """The archive has no symbolic link, as a checkout on a system without them."""
    shutil.unpack_archive(build("sdist", source, tmp_path / "sdist"), tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert not (unpacked / "mteb_hybrid" / "tasks").exists()
    assert contents(build("wheel", unpacked, tmp_path / "wheel")) == contents(wheel)


class Environment:
    """A fresh virtual environment with a stand-in for mteb, and pip from outside."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=os.name != "nt")
        self.folder = folder
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        self.site = Path(self.run("import sysconfig; print(sysconfig.get_path('purelib'))").strip())
        (self.site / "mteb").mkdir()
        (self.site / "mteb" / "__init__.py").write_text("")
        (self.site / "mteb" / "__main__.py").write_text("print('main')")
        self.bare = self.files()

    def run(self, code: str, *flags: str, **env: str) -> str:
        """Run code in the environment."""
        return call(self.python, *flags, "-c", dedent(code), cwd=self.folder, **env)

    def pip(self, *arguments: str | Path) -> None:
        """Run pip on the environment."""
        call(sys.executable, "-m", "pip", "--python", self.python, *arguments, cwd=self.folder)

    def files(self) -> set[Path]:
        """Return all that lies in the environment, but what compiling leaves."""
        return {path for path in self.folder.rglob("*") if "__pycache__" not in path.parts}


@pytest.fixture(params=["wheel", "editable"])
def installed(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    """Return an environment that the plugin is installed in."""
    environment = Environment(tmp_path / "venv")
    environment.pip("install", "--no-deps", request.getfixturevalue(request.param))
    return environment


LOADED = "import sys; print(*sorted(n for n in sys.modules if n.startswith(('mteb', 'torch', 'tasks'))))"


def test_installed_it_registers_and_uninstalled_nothing_is_left(installed: Environment) -> None:
    assert all((installed.site / name).is_file() for name in STARTUP_FILES)
    loads_nothing(installed)
    registers(installed)
    is_importable(installed)
    installed.pip("uninstall", "--yes", "mteb-hybrid")
    assert installed.files() == installed.bare
    assert installed.run(f"import mteb; {LOADED}").split() == ["mteb"]


def loads_nothing(installed: Environment) -> None:
    """Check that a process which does not import mteb loads nothing of ours."""
    for flags in ([], ["-I"], ["-E"], ["-S"]):
        assert installed.run(LOADED, *flags).split() == []
    searching = f"import json, importlib.util; importlib.util.find_spec('mteb'); {LOADED}"
    assert installed.run(searching).split() == ["mteb_hybrid", "mteb_hybrid._autoload"]


def registers(installed: Environment) -> None:
    """Check that a process which imports mteb, in whatever way, is registered to, unless switched off."""
    for flags in ([], ["-I"], ["-E"]):
        assert installed.run("import mteb", *flags) == "registered\n"
    assert installed.run("import mteb_hybrid.registry, mteb") == "registered\n"
    assert call(installed.python, "-m", "mteb", cwd=installed.folder) == "registered\nmain\n"
    assert installed.run("import mteb", MTEB_HYBRID_AUTOLOAD="0") == ""


def is_importable(installed: Environment) -> None:
    """The packages are where they should be, and no top-level tasks or tests."""
    installed.run(
        """
        from importlib.metadata import version
        from importlib.util import find_spec
        assert version("mteb-hybrid")
        assert find_spec("mteb_hybrid.tasks").origin.endswith("__init__.py")
        assert find_spec("tasks") is None and find_spec("tests") is None
        """
    )
