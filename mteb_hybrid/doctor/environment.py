"""Versions, what is missing, and libraries that do not go together."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version

from mteb_hybrid.doctor.finding import Finding, Findings, ok, wrong

PACKAGES = ("mteb-hybrid", "mteb", "sentence-transformers", "transformers", "torch", "datasets", "huggingface-hub")

EXTRAS = {
    "ctranslate2": ("ctranslate2",),
    "data": ("duckdb", "py3langid", "rensa", "sacremoses", "sentencepiece"),
    "laser": ("nano-laser",),
    "lora": ("peft",),
    "report": ("matplotlib",),
    "langid": ("py3langid",),
    "ray": ("ray",),
}
"""The packages of each extra, that which it is for first."""

_FAMILIES = {"libgomp": "GNU", "libiomp": "Intel", "libomp": "LLVM"}


def versions() -> Findings:
    """The versions of what matters most."""
    yield ok(f"Python {platform.python_version()}")
    for package in PACKAGES:
        found = _version(package)
        yield ok(f"{package} {found}") if found else wrong(f"{package} is not installed: pip install {package}")


def requirements() -> Findings:
    """Installed packages of a version that does not do."""
    from packaging.requirements import Requirement

    try:
        needed = requires("mteb-hybrid") or []
    except PackageNotFoundError:  # told with the versions
        return
    for line in needed:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        found = _version(requirement.name)
        if found is None:
            if requirement.name not in PACKAGES:
                yield wrong(f"{requirement.name} is not installed: pip install '{requirement}'")
        elif not requirement.specifier.contains(found, prereleases=True):
            yield wrong(f"{requirement.name} {found} does not do for mteb-hybrid: pip install '{requirement}'")


def extras() -> Findings:
    """Extras that are there, and those that are there by half."""
    there: list[str] = []
    absent: list[str] = []
    for extra, packages in EXTRAS.items():
        missing = [package for package in packages if _version(package) is None]
        if missing and packages[0] not in missing:
            yield wrong(
                f"extra {extra} is half installed, {', '.join(missing)} missing: pip install 'mteb-hybrid[{extra}]'"
            )
        else:
            (absent if missing else there).append(extra)
    how = f"; not installed: {', '.join(absent)} (pip install 'mteb-hybrid[EXTRA]' where wanted)" if absent else ""
    yield ok(f"extras: {', '.join(there) or 'none'}{how}")


def openmp() -> Findings:
    """Runtimes of OpenMP that must not meet in one process: each of torch, faiss and scikit-learn may bring its own."""
    try:
        from threadpoolctl import threadpool_info  # comes with scikit-learn
    except ImportError:
        return

    if sys.platform == "linux":  # elsewhere the second one ends the process as it is loaded
        for module in ("torch", "faiss"):
            import_module(module)
    loaded = {
        str(info["prefix"]): str(info["filepath"]) for info in threadpool_info() if info.get("user_api") == "openmp"
    }
    yield from clashes(loaded)


def clashes(loaded: dict[str, str]) -> Iterator[Finding]:
    """Tell whether runtimes go together.

    Intel's and LLVM's have the same names inside, and crash or hang in one process (threadpoolctl's "multiple OpenMP
    runtimes"); GNU's goes with either.

    Args:
        loaded: the file of each by the start of its name, such as ``libgomp``.
    """
    names = ", ".join(_FAMILIES.get(prefix, prefix) for prefix in sorted(loaded)) or "none"
    if {"libiomp", "libomp"} <= set(loaded):
        yield wrong(
            f"two runtimes of OpenMP are loaded, which crash or hang together, {loaded['libiomp']} and "
            f"{loaded['libomp']}: install torch and faiss-cpu both with pip, or both with conda"
        )
    else:
        yield ok(f"OpenMP: {names}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
