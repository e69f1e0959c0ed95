"""What mteb takes in of a published model: its results, and its description as Python source for a pull request."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from mteb_hybrid.data.languages import langscript
from mteb_hybrid.errors import HybridError
from mteb_hybrid.publishing.content import CardContent
from mteb_hybrid.publishing.hub import Target
from mteb_hybrid.whole import whole_folder

if TYPE_CHECKING:
    from mteb.models import ModelMeta

_SOURCE = '''\
"""{name}, published with mteb-hybrid."""

from mteb.models.model_meta import ModelMeta, ScoringFunction
from mteb.models.sentence_transformer_wrapper import sentence_transformers_loader

{variable} = {meta}
'''


def check_submission(folder: Path, target: Target, *, dry_run: bool, results: bool) -> None:
    """Raise a HybridError if it cannot be made of what is going to be published."""
    if dry_run or target.create_pr:
        raise HybridError("--mteb names the commit on the Hub, which a dry run or a pull request has not; leave it out")
    if not results:
        raise HybridError("--mteb is about results; give --results FOLDER as well")
    if folder.exists():
        raise HybridError(f"{folder} is there already; choose another folder for --mteb")


def write_submission(folder: Path, content: CardContent, commit: str) -> None:
    """Write ``results/ORG__NAME/COMMIT/``, as mteb's repository of results has it, and ``models/NAME.py``.

    Args:
        folder: where to; it must not exist.
        content: what the model's card says.
        commit: of the published model.

    Raises:
        HybridError: the model has no results, or the folder cannot be written.
    """
    if content.results is None:
        raise HybridError(f"{content.name} has no results to hand in; run mteb first")
    meta = model_meta(content, commit)
    place = Path("results") / content.repo_id.replace("/", "__") / commit
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(folder) as partial:
            (partial / place).mkdir(parents=True)
            (partial / "models").mkdir()
            for path in sorted(content.results.folder.glob("*.json")):
                if path.name != "model_meta.json":
                    shutil.copyfile(path, partial / place / path.name)
            text = json.dumps(meta.to_dict(), indent=4, default=str) + "\n"
            (partial / place / "model_meta.json").write_text(text, encoding="utf-8")
            name = _identifier(content.name)
            source = _SOURCE.format(name=content.repo_id, variable=name, meta=meta.to_python())
            (partial / "models" / f"{name}.py").write_text(source, encoding="utf-8")
    except OSError as error:
        raise HybridError(f"cannot write {folder} ({error.strerror or error}); choose another folder") from None


def model_meta(content: CardContent, commit: str) -> ModelMeta:
    """Describe a published model as mteb does."""
    from mteb.models import ModelMeta
    from mteb.models.model_meta import ScoringFunction
    from mteb.models.sentence_transformer_wrapper import sentence_transformers_loader
    from mteb.types._metadata import Licenses

    record, encoder = content.record, content.encoder
    values: dict[str, Any] = {
        "loader": sentence_transformers_loader,
        "name": content.repo_id,
        "revision": commit,
        "release_date": datetime.now(UTC).date().isoformat(),
        "languages": [langscript(tag) for tag in content.languages] or None,
        "n_parameters": encoder.parameters,
        "memory_usage_mb": round(encoder.parameters * 4 / 2**20),
        "max_tokens": encoder.max_seq_length,
        "embed_dim": encoder.dimensions,
        "license": content.license if content.license in get_args(Licenses) else None,
        "open_weights": True,
        "framework": ["Sentence Transformers", "PyTorch", "safetensors"],
        "reference": f"https://huggingface.co/{content.repo_id}",
        "similarity_fn_name": ScoringFunction(encoder.similarity),
        "use_instructions": bool(encoder.prompts),
        "training_datasets": set(record.mteb_tasks) if record else None,
        "adapted_from": content.base_model,
    }
    return ModelMeta.create_empty(overwrites=values)


def _identifier(name: str) -> str:
    identifier = re.sub(r"\W", "_", name)
    return f"_{identifier}" if identifier[0].isdigit() else identifier
