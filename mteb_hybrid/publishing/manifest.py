"""What the repository keeps about its own making: ``.mteb-hybrid/published.json`` and the card as it was generated."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, ValidationError

from mteb_hybrid.errors import HybridError, one_line

MANIFEST = ".mteb-hybrid/published.json"
GENERATED_CARD = ".mteb-hybrid/card.md"
CARD = "README.md"

_OF_A_MODEL = ("config.json", "modules.json", ".safetensors", ".bin", ".pt", ".ckpt", ".gguf", ".onnx", ".h5")


class Manifest(BaseModel):
    """Which model was published, and which files.

    Attributes:
        format: of this file; a later one may differ.
        name: the model's short name.
        fingerprint: of its folder when it was published.
        files: the paths that were written; of these, what a later publication lacks is deleted.
    """

    model_config = ConfigDict(frozen=True)
    format: int = 1
    name: str
    fingerprint: str
    files: tuple[str, ...]

    def text(self) -> str:
        """The content of the file."""
        return json.dumps(self.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"


def read_manifest(text: str | None, repo_id: str) -> Manifest | None:
    """Read what a repository says of itself; None if it says nothing.

    Raises:
        HybridError: the file is damaged.
    """
    if text is None:
        return None
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = one_line(error.errors(include_url=False)[0]["msg"], 100)
        raise HybridError(
            f"{MANIFEST} of {repo_id} is damaged ({first}); delete it there, or choose another --to"
        ) from None


def check_same_model(name: str, repo_id: str, files: frozenset[str], manifest: Manifest | None) -> None:
    """Raise a HybridError if a repository holds another model than the one of this short name."""
    if manifest is not None and manifest.name != name:
        raise HybridError(
            f"{repo_id} holds another model, {one_line(manifest.name, 80)}; choose another --to for {name}"
        )
    other = next((path for path in sorted(files) if path.endswith(_OF_A_MODEL)), None)
    if manifest is None and other is not None:
        raise HybridError(
            f"{repo_id} holds a model that mteb-hybrid did not publish ({one_line(other, 80)}); choose another --to"
        )
