"""The benchmarks: one short file each, declarations only."""

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
