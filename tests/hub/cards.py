"""How the test Hub reads a card's metadata, and what it finds wrong in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import yaml

# https://huggingface.co/docs/hub/repositories-licenses
LICENSES = """\
afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0
bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5
cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0
cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0
etalab-2.0 eupl-1.1 eupl-1.2 fair-noncommercial-research-license gemma gfdl gpl gpl-2.0 gpl-3.0 h-research
intel-research isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 lppl-1.3c mit
mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 open-mdw openrail openrail++ osl-3.0 other pddl postgresql unknown
unlicense wtfpl zlib
"""
FRONT_MATTER = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
REPO_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
# Codes that are no language of ISO 639 and pass nevertheless.
SPECIAL_LANGUAGES = ("code", "multilingual")


def metadata(card: str) -> Any:
    """The YAML at a card's top, as JSON would hold it; None if there is none.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    match = FRONT_MATTER.match(card)
    return None if match is None else _as_json(yaml.safe_load(match.group(1)))


def check(card: str) -> tuple[list[str], list[str]]:
    """What the Hub refuses in a card, and what it warns of.

    Args:
        card: the text of README.md.

    Returns:
        The errors and the warnings.
    """
    try:
        found = metadata(card)
    except yaml.YAMLError as fault:
        return [f"Invalid YAML: {' '.join(str(fault).split())}"], []
    if not found:
        return [], ["empty or missing yaml metadata in repo card"]
    if not isinstance(found, dict):
        return ["YAML metadata must be a mapping"], []
    errors = [*_wrong_strings(found), *_wrong_values(found), *_wrong_index(found.get("model-index"))]
    return errors, []


def _as_json(value: Any) -> Any:
    """Dates have no form of their own in JSON."""
    if isinstance(value, dict):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_json(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _wrong_strings(found: dict[str, Any]) -> Iterator[str]:
    for key in ("pipeline_tag", "library_name", "license_name", "license_link", "pretty_name"):
        if key in found and not isinstance(found[key], str):
            yield f'"{key}" must be a string'
    for key in ("license", "base_model", "datasets", "language", "tags", "metrics"):
        if key in found and not all(isinstance(item, str) for item in _listed(found[key])):
            yield f'"{key}" must be a string or an array of strings'


def _wrong_values(found: dict[str, Any]) -> Iterator[str]:
    for name in _strings(found.get("license")):
        if name not in LICENSES.split():
            yield f'"license" must be one of [{", ".join(LICENSES.split())}]'
    for code in _strings(found.get("language")):
        if not re.fullmatch(r"[a-z]{2,3}", code) and code not in SPECIAL_LANGUAGES:
            yield f'"language" with value "{code}" is not valid. It must be an ISO 639-1, 639-2 or 639-3 code'
    for key, where in (("base_model", "models"), ("datasets", "datasets")):
        for name in _strings(found.get(key)):
            if not REPO_ID.fullmatch(name):
                yield f'"{key}" with value "{name}" is not valid. Use an id from https://hf.co/{where}.'


def _wrong_index(index: Any) -> Iterator[str]:
    """What is missing in ``model-index``, the results of a model."""
    if index is None:
        return
    if not isinstance(index, list):
        yield '"model-index" must be an array'
        return
    for number, model in enumerate(index):
        place = f"model-index[{number}]"
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            yield f'"{place}.name" is required'
        elif not isinstance(model.get("results"), list):
            yield f'"{place}.results" must be an array'
        else:
            for row, result in enumerate(model["results"]):
                yield from _wrong_result(result, f"{place}.results[{row}]")


def _wrong_result(result: Any, place: str) -> Iterator[str]:
    if not isinstance(result, dict):
        yield f'"{place}" must be of type object'
        return
    for part, keys in (("task", ("type",)), ("dataset", ("type", "name"))):
        for key in keys:
            if not isinstance(result.get(part), dict) or not isinstance(result[part].get(key), str):
                yield f'"{place}.{part}.{key}" is required'
    metrics = result.get("metrics")
    if not isinstance(metrics, list) or not metrics:
        yield f'"{place}.metrics" is required'
        return
    for number, metric in enumerate(metrics):
        for key in ("type", "value"):
            if not isinstance(metric, dict) or key not in metric:
                yield f'"{place}.metrics[{number}].{key}" is required'


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _strings(value: Any) -> list[str]:
    return [item for item in _listed(value) if isinstance(item, str)]
