"""Hard negatives: for each pair, the passages of its language that a model takes for answers though they are none.

Texts are encoded once each, by language and role; then each pair is searched once or twice, in its passage's language.
What is made on the way lies in files that are written whole, so that a run that was killed goes on where it was.

``mine_hard_negatives`` of sentence-transformers is not called, though its margins are taken over (``choose``). It
holds all texts, embeddings and rankings of one pair of columns in memory and gives back one data set of them, searches
exactly whatever the size, and keeps only a query's own positives out; here rows are parallel, so that what must be kept
out is told by rows, not by texts, and every language of a row needs the same number of negatives. So faiss is called
directly, by its own means for what exceeds the memory (``index``).
"""

from mteb_hybrid.building.mining.mine import mine
from mteb_hybrid.building.mining.record import MinedLanguage, MiningRecord
from mteb_hybrid.building.mining.settings import MiningSettings

__all__ = ["MinedLanguage", "MiningRecord", "MiningSettings", "mine"]
