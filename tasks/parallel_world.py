"""ParallelWorld: a generated collection in 8 languages and 6 scripts, for demos and tests only."""

from functools import partial

from mteb_hybrid.data.hub_collection import PublishedCollection
from mteb_hybrid.data.world import WORLD_LANGUAGES, generate_world
from mteb_hybrid.evaluation.declare import ParallelBenchmark, declare

_FINGERPRINT = "b93ca3282578e28102c3286ea8a5c3758af6b2de"

BENCHMARK = ParallelBenchmark(
    name="ParallelWorld",
    title="ParallelWorld",
    description="Generated facts about invented people, places and things, rendered by templates in 8 languages. "
    "It is carried by mteb-hybrid for demos and tests; figures on it say nothing about real text.",
    load=PublishedCollection("parallel-world", _FINGERPRINT, partial(generate_world, 400)),
    languages=WORLD_LANGUAGES,
    dataset={"path": "mteb-hybrid/parallel-world", "revision": _FINGERPRINT},
    metadata={
        "reference": "https://arxiv.org/abs/2004.05484",  # of the settings; for the data see mteb_hybrid.data.world
        "date": ("2026-11-01", "2026-11-21"),
        "domains": ["Constructed", "Written"],
        "task_subtypes": ["Question answering"],
        "license": "apache-2.0",
        "annotations_creators": "derived",
        "dialect": [],
        "sample_creation": "created",
        "bibtex_citation": "",
    },
)

(
    ParallelWorldMonolingual,
    ParallelWorldCrossLingual,
    ParallelWorldMultilingual,
    ParallelWorldLanguageBias,
    ParallelWorld,
) = declare(BENCHMARK)
