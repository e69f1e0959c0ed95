"""What a recipe may say under ``training``: arguments of the trainer, checked before anything is loaded or trained."""

from __future__ import annotations

import difflib
import functools
import json
import re
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mteb_hybrid.errors import HybridError, one_line
from mteb_hybrid.settings.faults import shown

_VALIDATION = "say it under validation, which also keeps the best checkpoint"
_UPLOAD = "training uploads nothing; upload the finished folder"
_CHECKPOINTING = "say model.gradient_checkpointing"

SAID_ELSEWHERE: dict[str, str] = {
    "output_dir": "say output",
    "seed": "say seed at the top level",
    "data_seed": "say seed at the top level",
    "per_device_train_batch_size": "say batches.size",
    "auto_find_batch_size": "say batches.size, and loss.mini_batch_size where memory is short",
    "batch_sampler": "say batches",
    "multi_dataset_batch_sampler": "say batches",
    "dataloader_drop_last": "batches are always full",
    "remove_unused_columns": "training decides it",
    "prompts": "say model.query_prompt and model.passage_prompt",
    "gradient_checkpointing": _CHECKPOINTING,
    "activation_checkpointing": _CHECKPOINTING,
    "disable_tqdm": "say --quiet on the command line",
    "do_train": "training decides it",
    "do_eval": _VALIDATION,
    "eval_strategy": _VALIDATION,
    "eval_steps": "say validation.every",
    "load_best_model_at_end": _VALIDATION,
    "metric_for_best_model": _VALIDATION,
    "greater_is_better": _VALIDATION,
    "save_only_model": "checkpoints are always whole, so that training can be resumed",
    "resume_from_checkpoint": "say --resume on the command line",
    "ignore_data_skip": "a run that is resumed goes on with the batches that are left",
    "restore_callback_states_from_checkpoint": "a run that is resumed always does",
    "enable_jit_checkpoint": "SIGTERM saves a checkpoint as it is",
    "accelerator_config": "the sampler parts batches among the processes",
    "neftune_noise_alpha": "it is for language models that generate",
    "push_to_hub": _UPLOAD,
    "hub_token": f"{_UPLOAD}, and keep the token out of files",
    **dict.fromkeys(
        ("hub_model_id", "hub_strategy", "hub_private_repo", "hub_always_push", "hub_revision"),
        _UPLOAD,
    ),
    "warmup_ratio": "say warmup_steps; below 1 it is a share of all steps",
}
"""Trainer arguments that a recipe does not set under ``training``, and what to do instead."""

_POSITIVE = {"learning_rate", "num_train_epochs"}
_AT_LEAST = {
    **dict.fromkeys(("max_steps", "gradient_accumulation_steps", "per_device_eval_batch_size"), 1),
    **dict.fromkeys(("weight_decay", "warmup_steps", "max_grad_norm", "logging_steps", "save_steps"), 0),
}
_AT_MOST = {"num_train_epochs": 1_000_000}


def check_training(training: Mapping[str, Any]) -> None:
    """Check the ``training`` part of a recipe.

    Args:
        training: arguments of ``SentenceTransformerTrainingArguments``.

    Raises:
        HybridError: one is unknown, of the wrong type or value, or is said elsewhere in the recipe.
    """
    for name, problem in training_faults(training):
        raise HybridError(f"training.{one_line(name, 60)} {problem}")


def training_faults(training: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with the ``training`` part of a recipe, as (key, problem)."""
    for name, value in training.items():
        if name in SAID_ELSEWHERE:
            yield name, f"is not set here; {SAID_ELSEWHERE[name]}"
        elif name not in training_types():
            yield name, f"is no setting; {_nearest(name, training_types())}"
        elif not _fits(value, training_types()[name]):
            yield name, f"is {shown(value)}; it must be {_possible(training_types()[name], value)}"
        elif name in _AT_LEAST and value < _AT_LEAST[name]:
            yield name, f"is {shown(value)}; it must be at least {_AT_LEAST[name]}"
        elif name in _AT_MOST and value > _AT_MOST[name]:
            yield name, f"is {shown(value)}; it must be at most {_AT_MOST[name]}"
        elif name in _POSITIVE and value <= 0:
            yield name, f"is {shown(value)}; it must be above 0"
        elif name == "learning_rate_mapping":
            yield from ((name, problem) for problem in _pattern_faults(value))
    if {"max_steps", "num_train_epochs"} <= training.keys():
        yield "num_train_epochs", "has no effect beside max_steps; keep one of them"


def _pattern_faults(mapping: object) -> Iterator[str]:
    """What is wrong with the keys of a mapping, which are patterns of the names of weights."""
    for pattern in mapping if isinstance(mapping, dict) else ():
        try:
            re.compile(str(pattern))
        except (re.error, OverflowError, RecursionError) as error:
            yield f"has {shown(pattern)}, which is no regular expression ({error})"


@functools.cache
def training_types() -> Mapping[str, Any]:
    """The name and type of every argument of the trainer that a recipe may set."""
    from dataclasses import fields

    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments

    types = get_type_hints(Arguments)
    return {field.name: types[field.name] for field in fields(Arguments) if field.name not in SAID_ELSEWHERE}


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else "see SentenceTransformerTrainingArguments for what there is"


def _kinds(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a type; where some are names of an enumeration, any other text is none of them."""
    kinds = get_args(kind) if get_origin(kind) in {Union, UnionType} else (kind,)
    named = any(isinstance(kind, type) and issubclass(kind, Enum) for kind in kinds)
    return tuple(kind for kind in kinds if not (named and kind is str))


def _fits(value: object, kind: Any) -> bool:
    kinds = _kinds(kind)
    if len(kinds) > 1:
        return any(_fits(value, kind) for kind in kinds)
    (kind,) = kinds
    origin, arguments = get_origin(kind) or kind, get_args(kind)
    if origin is Any:
        return True
    if origin is Literal:
        return any(value is argument for argument in arguments)
    if origin is list:
        return isinstance(value, list) and all(_fits(item, arguments[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, *arguments[1:]) for item in value.values() if arguments)
    if issubclass(origin, Enum):
        return type(value) is str and value in {member.value for member in origin}
    if origin is float and isinstance(value, (int, float)):
        return not isinstance(value, bool) and abs(value) <= sys.float_info.max
    return type(value) is origin


def _possible(kind: Any, value: object) -> str:
    """The values of a type in words; ``value`` is what was given instead."""
    return " or ".join(filter(None, (_possible_of(kind, value) for kind in _kinds(kind))))


def _possible_of(kind: Any, value: object) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        names = [str(member.value) for member in kind]
        near = difflib.get_close_matches(str(value), names, n=1)
        return f"{near[0]}, or another of {len(names)} names" if near else f"one of {', '.join(names)}"
    if get_origin(kind) is Literal:
        return " or ".join(json.dumps(argument) for argument in get_args(kind))
    words = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text in quotes",
        list: "a list",
        dict: "a mapping",
        NoneType: "null",
    }
    return words.get(get_origin(kind) or kind, "")  # of objects that only a script can give: nothing
