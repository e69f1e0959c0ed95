"""The benchmarks: named lists of tasks for ``mteb run -b``."""

from __future__ import annotations

import mteb
from mteb.benchmarks.benchmark import Benchmark

_OURS = ("XQuADR", "XQuADRLanguageBias", "XQuADRXtremeR", "MLQAR", "MLQARLanguageBias")

_CITATION = r"""
@misc{elmahdy2024hybrid,
  author = {Elmahdy, Adel and Lin, Sheng-Chieh and Ahmad, Amin},
  title = {Synergistic Approach for Simultaneous Optimization of Monolingual, Cross-lingual, and Multilingual
Information Retrieval},
  year = {2024},
  eprint = {2408.10536},
  archiveprefix = {arXiv},
}
"""


def benchmarks() -> tuple[Benchmark, ...]:
    """``HybridBatch``, our tasks on public data, and ``HybridBatch(paper)``, which adds MIRACL."""
    reference = "https://arxiv.org/abs/2408.10536"
    return (
        Benchmark(
            name="HybridBatch",
            tasks=mteb.get_tasks(tasks=list(_OURS)),
            description="Monolingual, cross-lingual and multilingual retrieval and language bias on XQuAD-R and "
            "MLQA-R.",
            reference=reference,
            citation=_CITATION,
        ),
        Benchmark(
            name="HybridBatch(paper)",
            tasks=mteb.get_tasks(tasks=[*_OURS, "MIRACLRetrieval"]),
            description="HybridBatch and MIRACL: what the paper on hybrid batches evaluates.",
            reference=reference,
            citation=_CITATION,
        ),
    )
