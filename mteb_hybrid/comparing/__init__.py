"""Comparing two models: how far one is from the other, how sure that is, and what it means.

From scores of single queries that are kept beside results. Queries of one parallel group say the same in several
languages, so intervals and tests draw and swap whole groups, never single queries.
"""

from __future__ import annotations

from mteb_hybrid.comparing.compare import compare
from mteb_hybrid.comparing.verdict import MARGIN

__all__ = ["MARGIN", "compare"]
