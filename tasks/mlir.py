"""Belebele, MLQA, XQuAD and MultiEuP-v2 as pools of many languages, as SHIFT and MIMO use them (see data/mlir.py).

Their figures are means over all queries together, with texts cut at 512 tokens; ours are means over query languages,
with texts cut where the model cuts them. SHIFT's main tables ask in English: the subset ``en-all`` of the multilingual
tasks of Belebele and XQuAD (its MLQA and MultiEuP-v2 in English merge queries in other ways).
"""

from functools import partial
from typing import Any

from mteb_hybrid.data.hub_collection import PublishedCollection
from mteb_hybrid.data.mlir import BELEBELE, MLQA, MULTIEUP, REPOSITORY, REVISION, XQUAD, MlirPool, load_mlir
from mteb_hybrid.evaluation.declare import ParallelBenchmark, declare
from mteb_hybrid.tasks.xquad_r import LAREQA_CITATION

_CITATION = r"""
@inproceedings{jang2026shift,
  author = {Jang, Youngjoon and Hong, Seongtae and Moon, Hyeonseok and Lim, Heuiseok},
  booktitle = {Findings of the Association for Computational Linguistics: EMNLP 2026},
  title = {{SHIFT}: Semantic Harmonization via Index-side Feature Transformation for Multilingual Information
Retrieval},
  url = {https://arxiv.org/abs/2606.18801},
  year = {2026},
}
"""

_BELEBELE_CITATION = r"""
@article{bandarkar2023belebele,
  author = {Bandarkar, Lucas and Liang, Davis and Muller, Benjamin and Artetxe, Mikel and Shukla, Satya Narayan and
Husa, Donald and Goyal, Naman and Krishnan, Abhinandan and Zettlemoyer, Luke and Khabsa, Madian},
  journal = {arXiv preprint arXiv:2308.16884},
  title = {The Belebele Benchmark: a Parallel Reading Comprehension Dataset in 122 Language Variants},
  year = {2023},
}
"""

# The keys and titles of papers that mteb's own tasks cite too are mteb's, for which its tests ask.
_MLQA_CITATION = r"""
@article{lewis2019mlqa,
  author = {Lewis, Patrick and Oguz, Barlas and Rinott, Ruty and Riedel, Sebastian and Schwenk, Holger},
  journal = {arXiv preprint arXiv:1910.07475},
  title = {MLQA: Evaluating Cross-lingual Extractive Question Answering},
  year = {2019},
}
"""

_MULTIEUP_CITATION = r"""
@inproceedings{yang-etal-2024-language-bias,
  author = {Yang, Jinrui and Jiang, Fan and Baldwin, Timothy},
  booktitle = {Proceedings of the Fourth Workshop on Multilingual Representation Learning (MRL 2024)},
  title = {Language Bias in Multilingual Information Retrieval: The Nature of the Beast and Mitigation Methods},
  url = {https://aclanthology.org/2024.mrl-1.23/},
  year = {2024},
}
"""


def _benchmark(
    name: str, title: str, pool: MlirPool, description: str, citation: str, **about: Any
) -> ParallelBenchmark:
    """One pool; ``about`` is what mteb wants to know of the data that it was made of."""
    return ParallelBenchmark(
        name=name,
        title=title,
        description=description,
        load=PublishedCollection(name.lower(), None, partial(load_mlir, pool, name)),
        languages=pool.languages,
        dataset={"path": REPOSITORY, "revision": REVISION},
        metadata={
            "reference": "https://arxiv.org/abs/2606.18801",
            "task_subtypes": ["Question answering"],
            "dialect": [],
            "bibtex_citation": citation + _CITATION,
            **about,
        },
    )


(
    MLIRBelebeleMonolingual,
    MLIRBelebeleCrossLingual,
    MLIRBelebeleMultilingual,
    MLIRBelebeleLanguageBias,
    MLIRBelebele,
) = declare(
    _benchmark(
        "MLIRBelebele",
        "Belebele (MLIR)",
        BELEBELE,
        "Questions on passages of FLORES-200, translated by people into 14 languages; the candidates are the passages. "
        "What is called Arabic is Mesopotamian Arabic.",
        _BELEBELE_CITATION,
        adapted_from=["BelebeleRetrieval"],
        date=("2023-08-31", "2023-08-31"),
        domains=["Web", "News", "Written"],
        license="cc-by-sa-4.0",
        annotations_creators="expert-annotated",
        sample_creation="human-translated",
    )
)

(
    MLIRMLQAMonolingual,
    MLIRMLQACrossLingual,
    MLIRMLQAMultilingual,
    MLIRMLQALanguageBias,
    MLIRMLQA,
) = declare(
    _benchmark(
        "MLIRMLQA",
        "MLQA (MLIR)",
        MLQA,
        "Questions of MLQA's test part, each in some of 7 languages; the candidates are the paragraphs of Wikipedia "
        "that answer them.",
        _MLQA_CITATION,
        adapted_from=["MLQARetrieval"],
        date=("2019-01-01", "2020-12-31"),
        domains=["Encyclopaedic", "Written"],
        license="cc-by-sa-3.0",
        annotations_creators="human-annotated",
        sample_creation="human-translated",
    )
)

(
    MLIRXQuADMonolingual,
    MLIRXQuADCrossLingual,
    MLIRXQuADMultilingual,
    MLIRXQuADLanguageBias,
    MLIRXQuAD,
) = declare(
    _benchmark(
        "MLIRXQuAD",
        "XQuAD (MLIR)",
        XQUAD,
        "The questions of XQuAD-R in 8 of its languages; the candidates are whole paragraphs, not sentences.",
        LAREQA_CITATION,
        adapted_from=["XQuADRMonolingual"],
        date=("2016-01-01", "2020-04-01"),
        domains=["Encyclopaedic", "Written"],
        license="cc-by-sa-4.0",
        annotations_creators="human-annotated",
        sample_creation="human-translated",
    )
)

(
    MLIRMultiEuPMonolingual,
    MLIRMultiEuPCrossLingual,
    MLIRMultiEuPMultilingual,
    MLIRMultiEuPLanguageBias,
    MLIRMultiEuP,
) = declare(
    _benchmark(
        "MLIRMultiEuP",
        "MultiEuP-v2 (MLIR)",
        MULTIEUP,
        "Titles of debates in the European Parliament, translated into 6 languages; the candidates are the speeches, "
        "each in the language it was held in, and those of the debate are relevant. They are no translations of each "
        "other: of some languages there are more than of others, which rank distance does not allow for.",
        _MULTIEUP_CITATION,
        date=("2020-01-13", "2024-04-25"),
        domains=["Government", "Spoken"],
        license="cc-by-4.0",
        annotations_creators="derived",
        sample_creation="found",
    )
)
