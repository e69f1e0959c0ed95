"""A tiny encoder made in seconds without a download, for demos and tests only.

Static embeddings of subwords, drawn at random and weighted by how rare a subword is: texts are alike as far as they
share rare subwords. So it finds answers in the question's own language, knows nothing of translations until it is
trained, and is small enough to be trained on any machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mteb_hybrid.data.world import generate_world

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

DIMENSIONS = 256

_VOCABULARY = 8192
_FACTS = 500


def tiny_encoder(*, device: str | None = None, seed: int = 0) -> SentenceTransformer:
    """Make the tiny encoder.

    Args:
        device: as in sentence-transformers.
        seed: of the random embeddings.

    Returns:
        An untrained encoder of normalised vectors; the same one for the same seed.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    texts = list(_texts())
    tokenizer = _train_tokenizer(texts)
    vectors = torch.randn(
        tokenizer.get_vocab_size(), DIMENSIONS, generator=torch.Generator().manual_seed(seed)
    ) * _rarity(tokenizer, texts).unsqueeze(1)
    modules: list[torch.nn.Module] = [StaticEmbedding(tokenizer, embedding_weights=vectors.numpy()), Normalize()]
    return SentenceTransformer(modules=modules, device=device)


def _texts() -> Iterator[str]:
    world = generate_world(_FACTS, seed=1)  # another world than the task's: its words, not its facts
    for tables in (world.queries, world.passages):
        for table in tables.values():
            yield from table.texts


def _train_tokenizer(texts: list[str]) -> Tokenizer:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _rarity(tokenizer: Tokenizer, texts: list[str]) -> torch.Tensor:
    """Inverse document frequency of each subword: log(N / n), with n at least 1."""
    import torch

    counts = torch.ones(tokenizer.get_vocab_size())
    for encoding in tokenizer.encode_batch(texts):
        counts[list(set(encoding.ids))] += 1
    return torch.log((len(texts) + 1) / counts)
