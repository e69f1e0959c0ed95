"""The benchmarks: one short file each, declarations only. Importing them registers them."""

import mteb_hybrid.evaluation  # noqa: F401 - imports mteb, which registers us: see the last line
from mteb_hybrid.tasks.mlir import (
    MLIRMLQA,
    MLIRBelebele,
    MLIRBelebeleCrossLingual,
    MLIRBelebeleLanguageBias,
    MLIRBelebeleMonolingual,
    MLIRBelebeleMultilingual,
    MLIRMLQACrossLingual,
    MLIRMLQALanguageBias,
    MLIRMLQAMonolingual,
    MLIRMLQAMultilingual,
    MLIRMultiEuP,
    MLIRMultiEuPCrossLingual,
    MLIRMultiEuPLanguageBias,
    MLIRMultiEuPMonolingual,
    MLIRMultiEuPMultilingual,
    MLIRXQuAD,
    MLIRXQuADCrossLingual,
    MLIRXQuADLanguageBias,
    MLIRXQuADMonolingual,
    MLIRXQuADMultilingual,
)
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
    "MLIRMLQA",
    "MLQAR",
    "MLIRBelebele",
    "MLIRBelebeleCrossLingual",
    "MLIRBelebeleLanguageBias",
    "MLIRBelebeleMonolingual",
    "MLIRBelebeleMultilingual",
    "MLIRMLQACrossLingual",
    "MLIRMLQALanguageBias",
    "MLIRMLQAMonolingual",
    "MLIRMLQAMultilingual",
    "MLIRMultiEuP",
    "MLIRMultiEuPCrossLingual",
    "MLIRMultiEuPLanguageBias",
    "MLIRMultiEuPMonolingual",
    "MLIRMultiEuPMultilingual",
    "MLIRXQuAD",
    "MLIRXQuADCrossLingual",
    "MLIRXQuADLanguageBias",
    "MLIRXQuADMonolingual",
    "MLIRXQuADMultilingual",
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
