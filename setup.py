"""What pyproject.toml cannot say: the packages of tasks/, and the start-up files of an editable install."""

import base64
import hashlib
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from setuptools import find_packages, setup
from setuptools.command.editable_wheel import editable_wheel

STARTUP_FILES = ("mteb_hybrid.pth", "mteb_hybrid.start")


def packages() -> list[str]:
    """Return all packages; those of tasks/ are installed as ``mteb_hybrid.tasks``."""
    tasks = ["mteb_hybrid.tasks", *(f"mteb_hybrid.tasks.{name}" for name in find_packages("tasks"))]
    return sorted({*find_packages(include=["mteb_hybrid", "mteb_hybrid.*"]), *tasks})


class EditableWheelWithStartup(editable_wheel):  # type: ignore[misc]  # setuptools is untyped
    """An editable wheel holds no package data, so the start-up files are added to it afterwards."""

    def run(self) -> None:
        """Build the wheel, then add the files."""
        super().run()
        for wheel in Path(self.dist_dir).glob("mteb_hybrid-*editable*.whl"):
            add_startup_files(wheel)


def add_startup_files(wheel: Path) -> None:
    """Write a wheel anew, the start-up files at its top and in its RECORD, by which they are uninstalled."""
    with ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    record = next(name for name in contents if name.endswith(".dist-info/RECORD"))
    rows = contents.pop(record)
    for name in STARTUP_FILES:
        contents[name] = Path(__file__).with_name(name).read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(contents[name]).digest()).rstrip(b"=").decode()
        rows += f"{name},sha256={digest},{len(contents[name])}\n".encode()
    with ZipFile(wheel, "w", ZIP_DEFLATED) as archive:
        for name, content in {**contents, record: rows}.items():
            archive.writestr(name, content)


setup(packages=packages(), cmdclass={"editable_wheel": EditableWheelWithStartup})
