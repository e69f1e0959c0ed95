"""XQuAD-R: 1,190 questions in 11 languages, every sentence a candidate (LAReQA, Roy et al. 2020)."""

from functools import partial

from mteb.types import PromptType

from mteb_hybrid.data.hub_collection import PublishedCollection
from mteb_hybrid.data.lareqa import XQUAD_R, load_lareqa
from mteb_hybrid.evaluation.declare import ParallelBenchmark, declare, parallel_task
from mteb_hybrid.subsets import Setting

LAREQA_CITATION = r"""
@inproceedings{roy2020lareqa,
  author = {Roy, Uma and Constant, Noah and Al-Rfou, Rami and Barua, Aditya and Phillips, Aaron and Yang, Yinfei},
  booktitle = {Proceedings of the 2020 Conference on Empirical Methods in Natural Language Processing (EMNLP)},
  title = {{LAReQA}: Language-Agnostic Answer Retrieval from a Multilingual Pool},
  year = {2020},
}
"""

BENCHMARK = ParallelBenchmark(
    name="XQuADR",
    title="XQuAD-R",
    description="1,190 questions on Wikipedia paragraphs, translated by people into 11 languages; the candidates "
    "are the sentences of the paragraphs.",
    load=PublishedCollection(
        repository="xquad-r",
        fingerprint="c2c68717e393e1196f8d44ac14e2d1563d9f9b6f",
        source=partial(load_lareqa, XQUAD_R, "XQuADR"),
    ),
    languages=tuple(XQUAD_R.checksums),
    dataset={"path": "google-research-datasets/lareqa/xquad-r", "revision": XQUAD_R.commit},
    metadata={
        "reference": "https://github.com/google-research-datasets/lareqa",
        "date": ("2016-01-01", "2020-04-01"),
        "domains": ["Encyclopaedic", "Written"],
        "task_subtypes": ["Question answering"],
        "license": "cc-by-sa-4.0",
        "annotations_creators": "human-annotated",
        "dialect": [],
        "sample_creation": "human-translated",
        "bibtex_citation": LAREQA_CITATION,
    },
)

XQuADRMonolingual, XQuADRCrossLingual, XQuADRMultilingual, XQuADRLanguageBias, XQuADR = declare(BENCHMARK)

XQuADRXtremeR = parallel_task(
    BENCHMARK,
    "XQuADRXtremeR",
    Setting.MULTILINGUAL,
    description="LAReQA as XTREME-R scores it (Ruder et al. 2021, arXiv 2104.07412): candidates are sentences "
    "followed by their paragraph, with one space between (XTREME-R puts none), cut at 256 tokens, queries at 96; "
    "dot product; mAP@20.",
    main_score="map_at_20",
    load=PublishedCollection(
        repository="xquad-r-xtreme-r",
        fingerprint="fe4f85478fa35b1af946ac2835a78fbd164dba0d",
        source=partial(load_lareqa, XQUAD_R, "XQuADR", with_paragraph=True),
    ),
    token_limits={PromptType.query: 96, PromptType.document: 256},
    dot_product=True,
)
