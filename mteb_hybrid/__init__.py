"""mteb-hybrid: multilingual retrieval and language bias in MTEB.

Importing this package registers its tasks and models as soon as ``mteb`` is imported, or at once if it is. It loads
nothing else: the public names below come when they are used.
"""

from mteb_hybrid import _autoload

_WHERE = {
    "HybridError": "mteb_hybrid.errors",
    "ParallelBenchmark": "mteb_hybrid.evaluation.declare",
    "ParallelCollection": "mteb_hybrid.data.collection",
    "TextTable": "mteb_hybrid.data.collection",
    "add_model": "mteb_hybrid.models",
    "collection_tasks": "mteb_hybrid.evaluation.own",
    "declare": "mteb_hybrid.evaluation.declare",
    "generate_world": "mteb_hybrid.data.world",
    "load_collection": "mteb_hybrid.data.own",
    "register": "mteb_hybrid.registry",
    "register_tasks": "mteb_hybrid.registry",
    "save_collection": "mteb_hybrid.data.own",
}

__all__ = [*_WHERE]  # noqa: PLE0604 - the keys are texts


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("mteb-hybrid")
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_WHERE, "__version__"])


_autoload.watch()
