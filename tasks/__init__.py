"""The benchmarks: one short file each, declarations only. Importing them registers them."""

import mteb_hybrid.evaluation  # noqa: F401 - imports mteb, which registers us: see the last line
from mteb_hybrid.tasks.mlqa_r import (
    MLQAR,
    MLQARCrossLingual,
    MLQARLanguageBias,
    MLQARMonolingual,
    MLQARMultilingual,
)
from mteb_hybrid.tasks.parallel_world import (
    ParallelWorld,
    ParallelWorldCrossLingual,
    ParallelWorldLanguageBias,
    ParallelWorldMonolingual,
    ParallelWorldMultilingual,
)
from mteb_hybrid.tasks.xquad_r import (
    XQuADR,
    XQuADRCrossLingual,
    XQuADRLanguageBias,
    XQuADRMonolingual,
    XQuADRMultilingual,
    XQuADRXtremeR,
)

__all__ = [
    "MLQAR",
    "MLQARCrossLingual",
    "MLQARLanguageBias",
    "MLQARMonolingual",
    "MLQARMultilingual",
    "ParallelWorld",
    "ParallelWorldCrossLingual",
    "ParallelWorldLanguageBias",
    "ParallelWorldMonolingual",
    "ParallelWorldMultilingual",
    "XQuADR",
    "XQuADRCrossLingual",
    "XQuADRLanguageBias",
    "XQuADRMonolingual",
    "XQuADRMultilingual",
    "XQuADRXtremeR",
]

from mteb_hybrid.registry import register

register()
