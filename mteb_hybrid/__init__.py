"""mteb-hybrid: multilingual retrieval and language bias in MTEB, and training against it.

Importing this package registers its tasks and models as soon as ``mteb`` is imported, or at once if it is. It loads
nothing else: the public names below come when they are used.
"""

from mteb_hybrid import _autoload

_WHERE = {
    "AlphaSchedule": "mteb_hybrid.training.recipe",
    "Debiasing": "mteb_hybrid.debias.debiasing",
    "HybridBatchSampler": "mteb_hybrid.training.sampler",
    "HybridError": "mteb_hybrid.errors",
    "ParallelBenchmark": "mteb_hybrid.evaluation.declare",
    "ParallelCollection": "mteb_hybrid.data.collection",
    "ParallelCorpus": "mteb_hybrid.data.parallel_corpus",
    "Recipe": "mteb_hybrid.training.recipe",
    "SamplerEpoch": "mteb_hybrid.training.trainer",
    "TextTable": "mteb_hybrid.data.collection",
    "add_model": "mteb_hybrid.models",
    "collection_tasks": "mteb_hybrid.evaluation.own",
    "corpus_from_collection": "mteb_hybrid.data.parallel_corpus",
    "corpus_from_dataset": "mteb_hybrid.data.corpus_files",
    "declare": "mteb_hybrid.evaluation.declare",
    "fit_debiasing": "mteb_hybrid.debias.fit",
    "generate_world": "mteb_hybrid.data.world",
    "load_collection": "mteb_hybrid.data.own",
    "load_corpus": "mteb_hybrid.data.corpus_files",
    "read_debiasing": "mteb_hybrid.debias.file",
    "read_recipe": "mteb_hybrid.training.recipe_file",
    "register": "mteb_hybrid.registry",
    "register_tasks": "mteb_hybrid.registry",
    "save_collection": "mteb_hybrid.data.own",
    "save_corpus": "mteb_hybrid.data.corpus_files",
    "train": "mteb_hybrid.training.run",
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
