"""LASER-2 as an mteb model, through the package nano-laser (extra ``laser``).

LASER-2 is a BiLSTM of five layers over SentencePiece tokens of lower-cased text. Each number of an embedding is the
largest that it takes over the tokens (Artetxe and Schwenk 2019, arXiv 1812.10464; Heffernan et al. 2022, arXiv
2205.12654). It is published as a PyTorch pickle, not as safetensors: nano-laser reads it with ``weights_only=True``,
which makes tensors and plain containers and calls nothing else.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mteb_hybrid.data.download import cache_folder, download
from mteb_hybrid.errors import HybridError, one_line

if TYPE_CHECKING:
    import numpy as np
    from mteb.models import ModelMeta
    from mteb.types import Array, BatchedInput
    from numpy.typing import NDArray
    from torch.utils.data import DataLoader

NAME = "facebook/LASER2"
ADDRESS = "https://dl.fbaipublicfiles.com/nllb/laser"
FILES = ("laser2.pt", "laser2.spm")

# What LASER's own test expects: laser_encoders/test_laser_tokenizer.py of facebookresearch/LASER.
CHECK_TEXT = "This is a test sentence."
CHECK_VALUES = (
    *(1.042463e-2, 6.325429e-3, -3.032622e-5, 9.033477e-3, 2.937934e-4),
    *(4.489221e-3, 2.334521e-3, -9.427301e-4, -1.571535e-4, 2.095808e-3),
)
# GPUs may multiply in TF32; what is not LASER-2 is further off than this in some of ten values.
_CHECK_TOLERANCE = 1e-3

_TOKENS_AT_ONCE = 12_000  # as LASER's own embedding of files
# As listed in laser_encoders, those that LASER-2 serves.
_LANGUAGES = """
    acm-Arab acq-Arab aeb-Arab afr-Latn ajp-Arab amh-Ethi apc-Arab arb-Arab arb-Latn ars-Arab ary-Arab arz-Arab ayr-Latn
    azb-Arab azj-Latn bel-Cyrl ben-Beng bos-Latn bul-Cyrl cat-Latn ces-Latn ckb-Arab crh-Latn dan-Latn deu-Latn ell-Grek
    eng-Latn epo-Latn est-Latn eus-Latn fin-Latn fra-Latn gle-Latn glg-Latn hau-Latn heb-Hebr hin-Deva hrv-Latn hun-Latn
    hye-Armn ind-Latn isl-Latn ita-Latn jpn-Jpan kab-Latn kat-Geor kaz-Cyrl khm-Khmr kmr-Latn kor-Hang lit-Latn lvs-Latn
    mal-Mlym mar-Deva mkd-Cyrl plt-Latn mya-Mymr nld-Latn nob-Latn oci-Latn pes-Arab pol-Latn por-Latn ron-Latn rus-Cyrl
    sin-Sinh slk-Latn slv-Latn snd-Arab som-Latn spa-Latn als-Latn srp-Cyrl swe-Latn swh-Latn tam-Taml tat-Cyrl tel-Telu
    tgk-Cyrl tgl-Latn tha-Thai tur-Latn uig-Arab ukr-Cyrl urd-Arab uzn-Latn vie-Latn yue-Hant zho-Hans zho-Hant zsm-Latn
"""


class LaserEncoder:
    """A checkpoint of LASER-2's form, as mteb evaluates it: cosine similarity, no prompts, texts never cut.

    Attributes:
        dimensions: of an embedding; 1,024 in LASER-2.
        mteb_model_meta: what mteb knows of it; its loader sets it anew.
    """

    mteb_model_meta: ModelMeta

    def __init__(self, checkpoint: Path, sentencepiece: Path, *, device: str | None = None) -> None:
        """Load the two files.

        Args:
            checkpoint: parameters, weights and dictionary, as ``laser2.pt`` has them.
            sentencepiece: the model of the tokens.
            device: ``cpu``, ``cuda`` or ``cuda:1``; by default a GPU where there is one. nano-laser knows no others,
                so that any other is the CPU.

        Raises:
            HybridError: nano-laser is missing, or a file is damaged or something else.
        """
        import torch

        check_installed()
        from nano_laser.laser_tokenizer import LaserTokenizer
        from nano_laser.models import SentenceEncoder

        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        try:
            with self._on_device():
                self._encoder = SentenceEncoder(checkpoint, max_tokens=_TOKENS_AT_ONCE, cpu=self._device.type != "cuda")
            self.dimensions: int = self._encoder.encoder.output_units
            self._tokenizer = LaserTokenizer(sentencepiece)
        except Exception as error:  # unpickler, PyTorch, SentencePiece: whatever they raise, it is no such model
            raise HybridError(
                f"{checkpoint} and {sentencepiece} are no LASER-2 that can be loaded "
                f"({type(error).__name__}: {one_line(error, 120)}); delete them, and they are downloaded again"
            ) from None
        self.mteb_model_meta = laser_meta()

    def encode(
        self, inputs: DataLoader[BatchedInput], *, batch_size: int = 32, show_progress_bar: bool = False, **_: Any
    ) -> Array:
        """Encode texts; task and role make no difference.

        Args:
            inputs: batches with the column ``text``.
            batch_size: texts encoded at once, fewer where they are long.
            show_progress_bar: whether to show progress.

        Returns:
            Embeddings, not normalised, of shape (texts, dimensions).
        """
        return self.embed([text for batch in inputs for text in batch["text"]], batch_size, show_progress_bar)

    def embed(self, texts: list[str], batch_size: int = 32, show_progress_bar: bool = False) -> NDArray[np.float32]:
        """The same for a list of texts."""
        import numpy as np
        from tqdm.auto import tqdm

        tokens = [self._tokenizer.tokenize(text) for text in texts]
        # Texts of one length together: a batch takes as many steps as its longest has tokens.
        order = sorted(range(len(texts)), key=lambda row: tokens[row].count(" "), reverse=True)
        embeddings = np.empty((len(texts), self.dimensions), dtype=np.float32)
        self._encoder.max_sentences = batch_size
        with self._on_device(), tqdm(total=len(texts), unit="text", disable=not show_progress_bar) as bar:
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                embeddings[rows] = self._encoder.encode_sentences([tokens[row] for row in rows])
                bar.update(len(rows))
        return embeddings

    def similarity(self, embeddings1: Array, embeddings2: Array) -> Array:
        """Cosine similarity of all pairs."""
        from mteb.similarity_functions import cos_sim

        return cos_sim(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Array, embeddings2: Array) -> Array:
        """Cosine similarity of each pair."""
        from mteb.similarity_functions import pairwise_cos_sim

        return pairwise_cos_sim(embeddings1, embeddings2)

    def _on_device(self) -> AbstractContextManager[object]:
        import torch

        return torch.cuda.device(self._device) if self._device.type == "cuda" else nullcontext()


def load_laser(name: str, revision: str | None = None, *, device: str | None = None, **_: Any) -> LaserEncoder:
    """Load LASER-2, downloading it (180 MB) if it is not there; what mteb calls a loader.

    Args:
        name: ``facebook/LASER2``.
        revision: there is but one.
        device: as of ``LaserEncoder``.

    Raises:
        HybridError: nano-laser is missing, the files cannot be had, or they are not LASER-2.
    """
    check_installed()  # before the download
    checkpoint, sentencepiece = (_fetch(file) for file in FILES)
    encoder = LaserEncoder(checkpoint, sentencepiece, device=device)
    check_is_laser2(encoder, checkpoint.parent)
    return encoder


def check_is_laser2(encoder: LaserEncoder, folder: Path) -> None:
    """Raise a HybridError if an encoder does not give what LASER's own test expects.

    Nobody publishes checksums of the files; this tells as much, of tokens, weights and code together.
    """
    import numpy as np

    values = encoder.embed([CHECK_TEXT])[0, : len(CHECK_VALUES)]
    if values.shape != (len(CHECK_VALUES),) or not np.allclose(values, CHECK_VALUES, rtol=0, atol=_CHECK_TOLERANCE):
        raise HybridError(
            f"{' and '.join(FILES)} in {folder} are not LASER-2: {CHECK_TEXT!r} has another embedding than in LASER's "
            "own test; delete them, and they are downloaded again"
        )


def check_installed() -> None:
    """Raise a HybridError if nano-laser is not installed."""
    # A package below nano-laser would keep a table as a pickle in the user's cache, and read it from there.
    os.environ.setdefault("UNICODE_CATEGORIES_CACHE", "no")
    try:
        import nano_laser  # noqa: F401
    except ImportError as error:
        raise HybridError(
            f"{NAME} needs nano-laser ({one_line(error, 80)}): pip install 'mteb-hybrid[laser]'"
        ) from None


def laser_meta() -> ModelMeta:
    """What mteb is told of LASER-2."""
    from mteb.models import ModelMeta

    return ModelMeta(
        loader=load_laser,
        name=NAME,
        revision="2022-07-06",  # it has no version; the day of its release, by LASER's README
        release_date="2022-07-06",
        languages=_LANGUAGES.split(),
        n_parameters=44_615_936,
        n_embedding_parameters=16_001_280,
        memory_usage_mb=170,
        max_tokens=None,
        embed_dim=1024,
        license=None,  # LASER's code is under BSD; nothing is said of the weights
        open_weights=True,
        public_training_code="https://github.com/facebookresearch/fairseq/tree/main/examples/laser",
        public_training_data=None,
        framework=["PyTorch"],
        reference="https://github.com/facebookresearch/LASER",
        similarity_fn_name="cosine",
        use_instructions=False,
        # Europarl, United Nations, OpenSubtitles, Global Voices, Tanzil, Tatoeba (arXiv 1812.10464, section 3.3)
        training_datasets={"Tatoeba"},
    )


def _fetch(file: str) -> Path:
    folder = cache_folder() / "laser"
    return download(f"{ADDRESS}/{file}", sha256=None, folder="laser", instead=f"put {file} into {folder} by hand")
