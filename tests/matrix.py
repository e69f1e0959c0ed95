"""Installs the project anew with each Python, and with the oldest and the newest of what it builds on, and tests it.

    python -m tests.matrix [--only NAME ...] [--folder FOLDER] [--json FILE] [-- PYTEST ARGUMENTS]

For each environment: what does not install is said; our tests run (all that are not marked slow, unless other
arguments are given to pytest); and mteb's own tests, from its source archive, run before this package is installed and
after: what passed before must pass after.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
WATCHED = ("torch", "mteb", "sentence-transformers", "transformers", "datasets", "huggingface-hub", "numpy", "pyarrow")
EXTRAS = "data,langid,laser,lora,report"
TOOLS = ("pytest", "pytest-xdist", "hypothesis", "peer_measure", "build", "setuptools>=77.0.3")
MTEB_TESTS = (
    "test_cli.py",
    "test_ensure_no_torch_at_import.py",
    "test_evaluate.py",
    "test_filter_tasks.py",
    "test_get_tasks.py",
    "test_languages.py",
    "test_mock_run.py",
    "test_result_cache.py",
    "test_result_cache_load_from_cache.py",
    "test_run_settings_jsonl.py",
    "test_similarity_functions.py",
)
"""Of those in mteb's source archive: running tasks, the command line, the registries, what `import mteb` may load."""


@dataclass(frozen=True)
class Environment:
    """What is installed."""

    name: str
    python: str
    oldest: bool = False


ENVIRONMENTS = (
    Environment("3.11", "3.11"),
    Environment("3.12", "3.12"),
    Environment("3.13", "3.13"),
    Environment("3.11-oldest", "3.11", oldest=True),
    Environment("3.13-oldest", "3.13", oldest=True),
)


@dataclass(frozen=True)
class Outcome:
    """What came of an environment.

    Attributes:
        versions: what was installed of the libraries that matter.
        fault: what did not install, or None.
        ours: of our tests, how many came out how.
        failed: the names of those of ours that failed.
        mteb: how many of mteb's own tests passed without this package.
        lost: those of them that do not pass with it.
    """

    name: str
    versions: Mapping[str, str]
    fault: str | None = None
    ours: Mapping[str, int] | None = None
    failed: Sequence[str] = ()
    mteb: int | None = None
    lost: Sequence[str] = ()


def main() -> int:
    """Test all environments; 1 if one of them has a fault."""
    options = _options()
    outcomes = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.folder or Path(scratch)).resolve()
        for environment in ENVIRONMENTS:
            if not options.only or environment.name in options.only:
                outcomes.append(run(environment, folder / environment.name, options.pytest))
                print(*_told(outcomes[-1]), sep="\n", flush=True)
                if options.json:
                    options.json.write_text(json.dumps([asdict(each) for each in outcomes], indent=1) + "\n")
    return int(any(each.fault or each.failed or each.lost for each in outcomes))


def run(environment: Environment, folder: Path, arguments: Sequence[str]) -> Outcome:
    """Install and test one environment."""
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "venv" / "bin" / "python"
    try:
        install(environment, folder, python)
    except subprocess.CalledProcessError as error:
        return Outcome(environment.name, {}, fault=_end(error.stderr))
    versions = _versions(python)
    before = _mteb_tests(python, folder, versions["mteb"], "without")
    _uv("pip", "install", "--python", str(python), "--no-deps", "--editable", str(ROOT))
    after = _mteb_tests(python, folder, versions["mteb"], "with")
    passed = {name for name, how in before.items() if how == "passed"}
    ours = _pytest(python, ROOT, folder / "ours.xml", arguments or ["-m", "not slow", "--numprocesses", "auto"])
    counted = {how: sum(each == how for each in ours.values()) for how in ("passed", "failed", "skipped")}
    return Outcome(
        environment.name,
        versions,
        ours=counted,
        failed=sorted(name for name, how in ours.items() if how == "failed"),
        mteb=len(passed),
        lost=sorted(name for name in passed if after.get(name) != "passed"),
    )


def install(environment: Environment, folder: Path, python: Path) -> None:
    """Everything but the package itself; torch first and pinned, or gigabytes for other hardware come along."""
    _uv("venv", "--quiet", "--clear", "--python", _interpreter(environment.python), str(folder / "venv"))
    install = ["pip", "install", "--quiet", "--python", str(python)]
    pins = folder / "pins.txt"
    pins.write_text(_torch() + "\n")
    _uv(*install, _torch())
    if environment.oldest:
        # Wheels alone: an oldest release without one for this Python is not supported there.
        oldest = ["--resolution", "lowest-direct", "--only-binary", ":all:", "--no-binary", "unicategories"]
        wanted = [word for extra in EXTRAS.split(",") for word in ("--extra", extra)]
        resolved = ["--constraint", str(pins), "--python", str(python), *oldest, *wanted, "pyproject.toml"]
        pins.write_text(_uv("pip", "compile", "--quiet", *resolved))
    _uv(*install, "--constraint", str(pins), f"{ROOT}[{EXTRAS}]", *TOOLS)
    _uv("pip", "uninstall", "--quiet", "--python", str(python), "mteb-hybrid")


def _interpreter(version: str) -> str:
    """A Python of pyenv, where there is one; else uv finds it, or fetches it."""
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    found = sorted((root / "versions").glob(f"{version}.*/bin/python"))
    return str(found[-1]) if found else version


def _mteb_tests(python: Path, folder: Path, version: str, named: str) -> dict[str, str]:
    """What came of mteb's own tests, by their names."""
    archive = folder / f"mteb-{version}.tar.gz"
    sources = folder / f"mteb-{version}"
    if not sources.exists():
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*fetch, f"mteb=={version}", "-d", str(folder)], check=True)
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
        (sources / "mteb").rename(sources / "sources")  # what is tested is what is installed
    tests = [name for name in MTEB_TESTS if (sources / "tests" / name).exists()]

    def one(name: str) -> dict[str, str]:
        report = folder / f"mteb-{named}-{Path(name).stem}.xml"
        return _pytest(python, sources, report, ["-o", "addopts=", "-p", "no:cacheprovider", f"tests/{name}"])

    # Each file in a process of its own: once one of them has imported torch, whatever makes all tasks, and so seeds
    # torch thousands of times, takes 20 times as long. A file that needs modules which the archive does not carry fails
    # to be collected, without this package and with it.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return {test: how for found in threads.map(one, tests) for test, how in found.items()}


def _pytest(python: Path, folder: Path, report: Path, arguments: Sequence[str]) -> dict[str, str]:
    quiet = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(report.parent / "cache")}
    subprocess.run(
        [str(python), "-m", "pytest", "-q", f"--junitxml={report}", *arguments],
        cwd=folder,
        env=os.environ | quiet,
        stdout=report.with_suffix(".log").open("w"),
        stderr=subprocess.STDOUT,
        check=False,
    )
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        how = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        found[f"{case.get('classname')}::{case.get('name')}"] = how
    return found


def _versions(python: Path) -> dict[str, str]:
    code = f"from importlib.metadata import version as v; print(*(v(n) for n in {WATCHED!r}))"
    done = subprocess.run([str(python), "-c", code], check=True, capture_output=True, text=True)
    return dict(zip(WATCHED, done.stdout.split(), strict=True))


def _torch() -> str:
    """The release that all environments have: for processors alone, PyPI has no old ones."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("torch=="))


def _uv(*arguments: str) -> str:
    command = [sys.executable, "-m", "uv", *arguments]
    return subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout


def _end(text: str) -> str:
    return " ".join(text.split())[-400:]


def _told(outcome: Outcome) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in outcome.versions.items())
    if outcome.fault:
        return [f"{outcome.name}: does not install here: {outcome.fault}"]
    ours = ", ".join(f"{count} {how}" for how, count in (outcome.ours or {}).items())
    lines = [
        f"{outcome.name}: {versions}",
        f"  our tests: {ours}",
        f"  mteb's own: {outcome.mteb} pass without this package, {len(outcome.lost)} of them not with it",
    ]
    return lines + [f"    {name}" for name in (*outcome.failed, *outcome.lost)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [environment.name for environment in ENVIRONMENTS]
    parser.add_argument("--only", nargs="+", choices=names, help="these environments; default: all")
    parser.add_argument("--folder", type=Path, help="where they are made, and kept; default: removed")
    parser.add_argument("--json", type=Path, help="write what came of them there too")
    parser.add_argument("pytest", nargs="*", help="arguments of pytest, after --")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
