import math
from dataclasses import MISSING, fields
from importlib.metadata import version

import pytest
from packaging.version import Version

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.arguments import SAID_ELSEWHERE, check_training, training_faults, training_types

GOOD = {
    "max_steps": 10,
    "learning_rate": 1,  # a whole number is a number
    "warmup_steps": 0.1,
    "bf16": True,
    "tf32": None,
    "optim": "adamw_torch",
    "lr_scheduler_type": "cosine",
    "lr_scheduler_kwargs": {"num_cycles": 2},
    "learning_rate_mapping": {"^embeddings": 1e-3},
    "report_to": ["tensorboard", "wandb"],
    "run_name": "one",
    "trackio_static_space_id": False,
    "parallelism_config": None,
}


def test_good_settings_pass() -> None:
    check_training(GOOD)
    check_training({**GOOD, "report_to": "none"})
    check_training({})


@pytest.mark.parametrize(
    ("name", "value", "gist"),
    [
        ("learning_rate", "fast", '"fast"; it must be a number'),
        ("learning_rate", True, "true; it must be a number"),
        ("learning_rate", math.inf, "it must be a number"),
        ("learning_rate", math.nan, "it must be a number"),
        ("learning_rate", 10**400, "it must be a number"),
        ("learning_rate", 0, "0; it must be above 0"),
        ("num_train_epochs", 1e308, "1e+308; it must be at most 1000000"),
        ("max_steps", 1.5, "1.5; it must be a whole number"),
        ("max_steps", True, "true; it must be a whole number"),
        ("max_steps", 0, "0; it must be at least 1"),
        ("weight_decay", -0.1, "-0.1; it must be at least 0"),
        ("bf16", "yes", '"yes"; it must be true or false'),
        ("bf16", 1, "1; it must be true or false"),
        ("max_steps", None, "null; it must be a whole number"),
        ("run_name", 5, "5; it must be a text in quotes or null"),
        ("lr_scheduler_type", "zzz", "it must be one of linear, cosine,"),
        ("lr_scheduler_type", "cosin", "it must be cosine, or another"),
        ("optim", "adamw_torc", "it must be adamw_torch, or another"),
        ("report_to", [1], "[1]; it must be null or a text in quotes or a list"),
        ("fsdp_config", 3, "3; it must be a mapping or a text in quotes or null"),
        ("learning_rate_mapping", {"a": "b"}, "it must be a text in quotes or null or a mapping"),
        ("parallelism_config", {}, "{}; it must be null"),
        ("trackio_static_space_id", True, "true; it must be a text in quotes or null or false"),
    ],
)
def test_impossible_values_name_what_is_possible(name: str, value: object, gist: str) -> None:
    with pytest.raises(HybridError) as error:
        check_training({name: value})
    assert str(error.value).startswith(f"training.{name} is ")
    assert gist in str(error.value)


def test_patterns_are_regular_expressions() -> None:
    with pytest.raises(HybridError, match=r'^training\.learning_rate_mapping has "\(", which is no regular expression'):
        check_training({"learning_rate_mapping": {"^embeddings": 1e-3, "(": 0.1}})


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(HybridError, match=r"^training\.learnig_rate is no setting; did you mean learning_rate\?$"):
        check_training({"learnig_rate": 1e-5})
    with pytest.raises(HybridError, match=r"^training\.zzzzzz is no setting; see SentenceTransformerTrainingArg"):
        check_training({"zzzzzz": 1})


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("output_dir", "output"),
        ("per_device_train_batch_size", "batches.size"),
        ("seed", "seed at the top level"),
        ("eval_steps", "validation.every"),
        ("prompts", "model.query_prompt"),
        ("gradient_checkpointing", "model.gradient_checkpointing"),
        ("warmup_ratio", "warmup_steps"),
        ("push_to_hub", "uploads nothing"),
        ("resume_from_checkpoint", "--resume"),
    ],
)
def test_what_is_said_elsewhere_is_refused(name: str, where: str) -> None:
    with pytest.raises(HybridError, match=rf"^training\.{name} is not set here; .*{where}"):
        check_training({name: "anything"})


def test_what_is_said_elsewhere_exists_in_the_trainer() -> None:
    from sentence_transformers import SentenceTransformerTrainingArguments

    names = {field.name for field in fields(SentenceTransformerTrainingArguments)}
    newer = {"activation_checkpointing"} if Version(version("transformers")) < Version("5.23") else set()
    assert SAID_ELSEWHERE.keys() - names == newer
    assert training_types().keys() == names - SAID_ELSEWHERE.keys()


def test_every_default_of_the_trainer_fits_its_type() -> None:
    from sentence_transformers import SentenceTransformerTrainingArguments

    defaults = {
        field.name: getattr(field.default, "value", field.default)
        for field in fields(SentenceTransformerTrainingArguments)
        if field.name in training_types() and field.default is not MISSING
    }
    assert defaults.pop("max_steps") == -1  # as many as the epochs have: a recipe leaves it out
    assert [fault for fault in training_faults(defaults) if "no effect" not in fault[1]] == []


def test_steps_and_epochs_exclude_each_other() -> None:
    with pytest.raises(HybridError, match="num_train_epochs has no effect beside max_steps"):
        check_training({"num_train_epochs": 2, "max_steps": 10})
