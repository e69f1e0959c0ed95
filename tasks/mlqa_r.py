"""MLQA-R: 1,148 questions in 2 to 4 of 7 languages, every sentence a candidate (LAReQA, Roy et al. 2020)."""

from functools import partial

from mteb_hybrid.data.hub_collection import PublishedCollection
from mteb_hybrid.data.lareqa import MLQA_R, load_lareqa
from mteb_hybrid.evaluation.declare import ParallelBenchmark, declare
from mteb_hybrid.tasks.xquad_r import LAREQA_CITATION

BENCHMARK = ParallelBenchmark(
    name="MLQAR",
    title="MLQA-R",
    description="1,148 questions on Wikipedia paragraphs, each asked by people in 2 to 4 of 7 languages; the "
    "candidates are the sentences of the paragraphs.",
    load=PublishedCollection(
        repository="mlqa-r",
        fingerprint="e913cd56633e9ff7e5347b78fa96ea694f5e8b2b",
        source=partial(load_lareqa, MLQA_R, "MLQAR"),
    ),
    languages=tuple(MLQA_R.checksums),
    dataset={"path": "google-research-datasets/lareqa/mlqa-r", "revision": MLQA_R.commit},
    metadata={
        "reference": "https://github.com/google-research-datasets/lareqa",
        "date": ("2019-01-01", "2020-04-01"),
        "domains": ["Encyclopaedic", "Written"],
        "task_subtypes": ["Question answering"],
        "license": "cc-by-nc-4.0",
        "annotations_creators": "human-annotated",
        "dialect": [],
        "sample_creation": "human-translated",
        "bibtex_citation": LAREQA_CITATION,
    },
)

MLQARMonolingual, MLQARCrossLingual, MLQARMultilingual, MLQARLanguageBias, MLQAR = declare(BENCHMARK)
