import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.recipe import (
    AlphaSchedule,
    BatchSettings,
    DistillationSettings,
    DistillSettings,
    LoraSettings,
    LossSettings,
    ModelSettings,
    Recipe,
    ScoreDistillSettings,
    SourceSettings,
    ValidationSettings,
)
from mteb_hybrid.training.recipe_file import describe_recipe, dump_recipe, read_recipe

SMALLEST = "model:\n  base: some/model\ndata:\n  - source: pairs.jsonl\n"  # four lines

FULL = Recipe(
    model=ModelSettings(base="some/model", lora=LoraSettings(target_modules=["query"])),
    data=[SourceSettings(source="pairs.jsonl", languages=["de", "no"]), SourceSettings(source="MLQA-R", rows=5)],
    batches=BatchSettings(alpha=AlphaSchedule(start=1, end=0.5)),
    loss=LossSettings(
        distillation=DistillationSettings(),
        matryoshka=[64],
        distill=DistillSettings(),
        score_distill=ScoreDistillSettings(teacher="base"),
    ),
    validation=ValidationSettings(source=SourceSettings(source="other.jsonl")),
    training={"learning_rate": 1e-5, "max_steps": 10},
    output="models/full",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "recipe.yaml"


def fault_of(file: Path, text: str | bytes) -> str:
    """What is said of a recipe, without the folder."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(HybridError) as error:
        read_recipe(file)
    message = str(error.value)
    assert "\n" not in message
    return message.replace(f"{file.parent}/", "")


def read(file: Path, text: str, *changes: str) -> Recipe:
    file.write_text(text, encoding="utf-8")
    return read_recipe(file, changes)


# What is read


def test_the_smallest_recipe(file: Path) -> None:
    expected = Recipe(model=ModelSettings(base="some/model"), data=[SourceSettings(source="pairs.jsonl")])
    assert read(file, SMALLEST) == expected
    assert read(file, "\ufeff" + SMALLEST) == expected
    assert read(file, SMALLEST.replace("\n", "\r\n")) == expected


@pytest.mark.parametrize(
    ("written", "number"), [("1e-5", 1e-5), ("1E-5", 1e-5), ("1.e-5", 1e-5), (".5", 0.5), ("1e-05", 1e-5), ("1", 1)]
)
def test_numbers_are_numbers(file: Path, written: str, number: float) -> None:
    recipe = read(
        file,
        f"{SMALLEST}training:\n  learning_rate: {written}\n"
        f"loss:\n  temperature: {written}\n  distillation: {{weight: {written}}}\n"
        f"batches:\n  alpha: {{start: {written}, end: {written}}}",
    )
    assert recipe.training == {"learning_rate": number}
    assert (recipe.loss.temperature, recipe.loss.distillation) == (number, DistillationSettings(weight=number))
    assert recipe.batches.alpha == AlphaSchedule(start=number, end=number)


def test_texts_are_texts(file: Path) -> None:
    """Norwegian is no Boolean, a revision neither octal nor a date nor infinite."""
    for text in ("no", "on", "yes", "0123456", "12e4567", "2024-01-01", "12:30:00", "1_000", "0x1f", ".inf", "="):
        assert read(file, f"{SMALLEST}    revision: {text}\n    languages: [{text}]").data == [
            SourceSettings(source="pairs.jsonl", revision=text, languages=[text])
        ]


@pytest.mark.parametrize(
    ("loss", "needs_pivot"),
    [
        ({}, False),
        ({"keep": 1.0, "contrastive": 0.0}, False),
        ({"translate_align": 0.5}, True),
        ({"distill": {}}, True),
        ({"distill": {"weight": 0.0}}, False),
        ({"score_distill": {}, "contrastive": 0.0}, True),
        ({"distillation": {}, "contrastive": 0.0}, False),
    ],
)
def test_which_objectives_need_parallel_texts(loss: dict[str, Any], needs_pivot: bool) -> None:
    assert LossSettings.model_validate(loss).needs_pivot is needs_pivot


# Presets

OWN_DATA = "data:\n  - source: pairs.jsonl\n"


@pytest.mark.parametrize(
    ("preset", "base"), [("labse", "sentence-transformers/LaBSE"), ("xlm-r", "FacebookAI/xlm-roberta-base")]
)
def test_paper_presets(file: Path, preset: str, base: str) -> None:
    recipe = read(file, f"preset: {preset}\n{OWN_DATA}")
    assert recipe.preset == preset
    assert recipe.model == ModelSettings(base=base, query_prompt="Query: ", passage_prompt="Passage: ")
    assert recipe.batches == BatchSettings(strategy="hybrid", alpha=None, size=100)  # None is 0.5
    assert recipe.training == {"optim": "adamw_torch", "learning_rate": 3e-5, "weight_decay": 0.01}
    assert recipe.validation is not None
    assert recipe.validation.languages == ["en"]
    assert recipe.data == [SourceSettings(source="pairs.jsonl")]


def test_e5_preset(file: Path) -> None:
    recipe = read(file, f"preset: e5\n{OWN_DATA}")
    assert recipe.model == ModelSettings(
        base="intfloat/multilingual-e5-small",
        query_prompt="query: ",
        passage_prompt="passage: ",
        max_seq_length=96,
        freeze_embeddings=True,
    )
    assert (recipe.batches.size, recipe.loss.temperature, recipe.validation) == (32, 0.02, None)
    assert recipe.training == {"max_steps": 600, "learning_rate": 2e-5, "warmup_steps": 0.1}


def test_tiny_preset_is_a_whole_recipe(file: Path) -> None:
    recipe = read(file, "preset: tiny")
    assert (recipe.model.base, recipe.data) == ("mteb-hybrid/tiny", [SourceSettings(source="ParallelWorld")])
    assert recipe.validation is None
    assert read_recipe("tiny") == recipe


def test_a_file_goes_before_a_preset_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny").write_text(SMALLEST)
    assert read_recipe("tiny").model.base == "some/model"


def test_the_file_goes_before_its_preset(file: Path) -> None:
    recipe = read(file, "preset: tiny\ntraining:\n  learning_rate: 1e-3\nmodel:\n  max_seq_length: 5\n" + OWN_DATA)
    assert recipe.training == read_recipe("tiny").training | {"learning_rate": 1e-3}
    assert recipe.model == ModelSettings(base="mteb-hybrid/tiny", max_seq_length=5)
    assert recipe.data == [SourceSettings(source="pairs.jsonl")]


def test_validation_of_a_preset_can_be_switched_off(file: Path) -> None:
    assert read(file, f"preset: labse\nvalidation: null\n{OWN_DATA}").validation is None


def test_a_setting_takes_the_place_of_its_alternative_in_the_preset(file: Path) -> None:
    recipe = read(file, f"preset: labse\nvalidation:\n  source: {{source: other.jsonl}}\n{OWN_DATA}")
    assert recipe.validation is not None
    assert (recipe.validation.share, recipe.validation.languages) == (None, ["en"])
    recipe = read(file, "preset: tiny\ntraining:\n  num_train_epochs: 2")
    assert "max_steps" not in recipe.training
    assert recipe.training["num_train_epochs"] == 2


@pytest.mark.parametrize("strategy", ["mono", "cross", "hybrid", "mixed", "bilingual"])
@pytest.mark.parametrize("preset", ["labse", "tiny"])
def test_every_strategy_goes_with_a_preset(file: Path, preset: str, strategy: str) -> None:
    assert read(file, f"preset: {preset}\nbatches: {{strategy: {strategy}}}\n{OWN_DATA}").batches.strategy == strategy


def test_a_wrong_value_does_not_fall_back_to_the_preset(file: Path) -> None:
    assert fault_of(file, "preset: tiny\ndata: {}").startswith("recipe.yaml, line 2: data is {}; it must be a list")
    assert fault_of(file, "preset: tiny\nloss:").startswith("recipe.yaml, line 2: loss is null; it must be a mapping")


def test_a_preset_without_data_needs_data(file: Path) -> None:
    assert fault_of(file, "seed: 3\npreset: labse").startswith(
        "recipe.yaml, line 1: data is missing; it must be a list"
    )


# Changes


def test_changes_go_before_the_file(file: Path) -> None:
    text = f"{SMALLEST}training:\n  num_train_epochs: 2\n  learning_rate: 1e-5\nbatches: {{alpha: 0.3}}"
    changes = ("batches.alpha=1e-1", "data[0].rows=5", "training.max_steps=7", "model.query_prompt=Query: ")
    recipe = read(file, text, *changes, "validation={share: 0.1, languages: [en, no]}")
    assert recipe.batches.alpha == 0.1
    assert recipe.data == [SourceSettings(source="pairs.jsonl", rows=5)]
    assert recipe.training == {"max_steps": 7, "learning_rate": 1e-5}
    assert recipe.model == ModelSettings(base="some/model", query_prompt="Query: ")
    assert recipe.validation == ValidationSettings(share=0.1, languages=["en", "no"])
    assert read_recipe("tiny", ["seed=5", "seed=6"]).seed == 6


@pytest.mark.parametrize(
    ("change", "gist"),
    [
        ("batches.alpah=0.3", "--set batches.alpah=0.3: batches.alpah is no setting; did you mean alpha?"),
        ("seed=x", '--set seed=x: seed is "x"; it must be a whole number'),
        ("data[1].rows=5", "--set data[1].rows=5: there is no data[1]"),
        ("model[0]=5", "--set model[0]=5: there is no model[0]"),
        ("validation.pairs=5", "--set validation.pairs=5: validation needs either a share or a source"),
        ("training.max_step=5", "--set training.max_step=5: training.max_step is no setting; did you mean max_steps?"),
        ("preset=tiny", "--set preset=tiny: a preset is named in the recipe"),
        ("seed", "--set seed: write SETTING=VALUE"),
        ("=5", "--set =5: write SETTING=VALUE"),
        ("data=[", "--set data=[, line 1: not YAML"),
    ],
)
def test_faults_of_changes(file: Path, change: str, gist: str) -> None:
    with pytest.raises(HybridError, match=f"^{re.escape(gist)}"):
        read(file, SMALLEST, change)


def test_a_fault_of_the_file_that_a_change_mends_is_none(file: Path) -> None:
    assert read(file, f"{SMALLEST}seed: x", "seed=5").seed == 5


# Faults, each with its line


@pytest.mark.parametrize(
    ("text", "line", "gist"),
    [
        # Unknown settings
        ("batches:\n  size: 5\n  alpah: 0.5", 7, "batches.alpah is no setting; did you mean alpha?"),
        ("batches:\n  alpha:\n    start: 1\n    ent: 0", 8, "batches.alpha.ent is no setting; did you mean end?"),
        ("  - source: a\n    row: 5", 6, "data[1].row is no setting; did you mean rows?"),
        ("temperature: 0.1", 5, "temperature is no setting; did you mean loss.temperature?"),
        ("alpha: 0.1", 5, "alpha is no setting; did you mean batches.alpha?"),
        ("learning_rate: 0.1", 5, "learning_rate is no setting; did you mean training.learning_rate?"),
        ("loss:\n  zzz: 1", 6, "loss.zzz is no setting; possible: temperature, symmetric,"),
        ("1: 2", 5, "1 is no setting"),
        ("training:\n  max_steps: 5\n  learnig_rate: 1", 7, "training.learnig_rate is no setting; did you mean learn"),
        ("training:\n  seed: 5", 6, "training.seed is not set here; say seed at the top level"),
        (
            "training: {num_train_epochs: 1,\n  max_steps: 5}",
            5,
            "training.num_train_epochs has no effect beside max_steps",
        ),
        # Impossible values
        ("batches:\n  alpha: 1.5", 6, "batches.alpha is 1.5; it must be a number at least 0 and at most 1, or a map"),
        ("batches:\n  alpha: half", 6, 'batches.alpha is "half"; it must be a number'),
        ("batches:\n  alpha:\n    start: 1\n    end: 2", 8, "batches.alpha.end is 2; it must be a number at least 0"),
        ("batches:\n  alpha:\n    end: 0", 6, "batches.alpha.start is missing; it must be a number"),
        ("batches:\n  strategy: hybird", 6, 'batches.strategy is "hybird"; it must be one of mono, cross, hybrid,'),
        ("batches:\n  strategy: mono\n  alpha: 1", 7, "batches.alpha has no effect on strategy mono; leave it out"),
        (
            "loss:\n  symmetric: true\n  distillation: {}\nbatches: {strategy: cross}",
            7,
            "loss.distillation needs batches in one language; cross has none",
        ),
        ("batches:\n  size:\n    0", 6, "batches.size is 0; it must be a whole number at least 1"),
        ("batches: 5", 5, "batches is 5; it must be a mapping of strategy, alpha,"),
        ("loss:", 5, "loss is null; it must be a mapping of temperature,"),
        ("loss:\n  symmetric: yes", 6, 'loss.symmetric is "yes"; it must be true or false'),
        ("loss:\n  matryoshka:\n  - 64\n  - 0", 8, "loss.matryoshka[1] is 0; it must be a whole number at least 1"),
        ("  - source: a\n    languages: [en,\n      5]", 7, "data[1].languages[1] is 5; it must be a non-empty text"),
        ("    revision: 1e5", 5, "data[0].revision is 100000.0; it must be a non-empty text, or null; put it in quo"),
        ("  - rows: 5", 5, "data[1].source is missing; it must be a non-empty text"),
        ("  - pairs.jsonl", 5, 'data[1] is "pairs.jsonl"; it must be a mapping of source,'),
        ("validation:\n  pairs: 5", 5, "validation needs either a share or a source"),
        ("validation:\n  share: 1", 6, "validation.share is 1; it must be a number above 0 and below 1"),
        ("seed: 1.0", 5, "seed is 1.0; it must be a whole number"),
        ("seed: 0123", 5, 'seed is "0123"; it must be a whole number'),
        ("seed: 99999999999999999999999", 5, "seed is"),
        ("loss:\n  temperature: .inf", 6, 'loss.temperature is ".inf"; it must be a number'),
        ("loss:\n  contrastive: 0", 6, "loss.contrastive is 0 and no other objective has a weight; give it or another"),
        ("loss:\n  keep: -1", 6, "loss.keep is -1; it must be a number at least 0"),
        ("loss:\n  distill:\n    alone: 1", 7, "loss.distill.alone is 1; it must be a number at least 0 and below 1"),
        ("loss:\n  distill:\n    wait: 1", 7, "loss.distill.wait is no setting; did you mean weight?"),
        ("loss:\n  score-distill: {}", 6, "loss.score-distill is no setting; did you mean score_distill?"),
        ("loss:\n  score_distill: 1", 6, "loss.score_distill is 1; it must be a mapping of teacher, weight, or null"),
        ("loss:\n  pivot: 5", 6, "loss.pivot is 5; it must be a non-empty text; put it in quotes"),
        ("loss:\n  distillation:\n    weight: 1e999", 7, 'loss.distillation.weight is "1e999"; it must be a number'),
        ("training:\n  max_steps: 5\n  learning_rate: fast", 7, 'training.learning_rate is "fast"; it must be a numb'),
        ("training: 5", 5, "training is 5; it must be a mapping"),
        ("preset: tini", 5, 'preset is "tini"; it must be one of labse, xlm-r, e5, tiny'),
        ("preset: [tiny]", 5, 'preset is ["tiny"]; it must be one of labse'),
        ("resolved: 5", 5, "resolved is 5; it must be true or false"),
        # The first fault of the file, but an unknown setting before all
        ("seed: x\noutput: 5", 5, "seed is"),
        ("batches:\n  size: 0\nlos: {}", 7, "los is no setting; did you mean loss?"),
    ],
)
def test_faults_of_settings(file: Path, text: str, line: int, gist: str) -> None:
    assert fault_of(file, SMALLEST + text).startswith(f"recipe.yaml, line {line}: {gist}")


@pytest.mark.parametrize(
    ("text", "gist"),
    [
        ("seed: 5", "line 1: model is missing; it must be a mapping of base,"),
        ("\n# A recipe\nmodel:\n  revision: a\ndata: [{source: a}]", "line 3: model.base is missing; it must be"),
        ("model: {base: a}\ndata: []", "line 2: data is []; it must be a list of one or more, each a mapping of sou"),
        ("model: {base: ''}\ndata: [{source: a}]", 'line 1: model.base is ""; it must be a non-empty text'),
        # Not YAML, or not of the kind that is read
        ("model:\n\tbase: a", "line 2: not YAML (found character '\\t'"),
        ("model: a: b", "line 1: not YAML (mapping values are not allowed here)"),
        ("seed: 1\nmodel: {base: a", "line 2: not YAML (expected ',' or '}'"),
        ("seed: 1\noutput: \x07", "line 2: not YAML (a control character); delete it"),
        ("seed: 1\n---\nseed: 1", "line 2: not YAML (but found another document)"),
        ("seed: 1\nmodel: {}\nseed: 2", "line 3: seed is given twice, first in line 1; keep one"),
        ("loss: {symmetric: true,\n 'symmetric': true}", "line 2: loss.symmetric is given twice, first in line 1"),
        ("seed: 1\n? [a]\n: 1", "line 2: a key must be a name"),
        ("seed: 1\noutput: &x a", "line 2: anchors (&) and aliases (*) are not allowed"),
        ("seed: 1\n<<: *x", "line 2: anchors (&) and aliases (*) are not allowed"),
        ("seed: 1\noutput: !!python/object/apply:os.getcwd []", "line 2: tags (!) are not allowed"),
        ("seed: 1\noutput: !!str 5", "line 2: tags (!) are not allowed"),
        ("- model", "line 1: the top level must be settings"),
        ("tiny", "line 1: the top level must be settings"),
        ("seed: " + "[" * 30 + "]" * 30, "line 1: nested too deeply"),
        ("seed: 1\ntraining:\n  a: " + "{a: " * 30 + "}" * 30, "line 3: nested too deeply"),
        (b"seed: 1\noutput: \xff", "line 2: not UTF-8; save the file as UTF-8"),
        ("seed: 1".encode("utf-16"), "line 1: not UTF-8"),
    ],
)
def test_faults_of_files(file: Path, text: str | bytes, gist: str) -> None:
    assert fault_of(file, text).startswith(f"recipe.yaml, {gist}")


def test_faults_without_a_line(file: Path) -> None:
    assert fault_of(file, "").startswith("recipe.yaml is empty")
    assert fault_of(file, "# nothing\n").startswith("recipe.yaml is empty")
    assert fault_of(file, "[" * 100_000).startswith("recipe.yaml: nested too deeply")
    assert fault_of(file, SMALLEST + "#" * 100_000).startswith("recipe.yaml is larger than 100 kB")
    with pytest.raises(HybridError, match=r"^cannot read .*: Is a directory$"):
        read_recipe(file.parent)
    with pytest.raises(HybridError, match=r"^cannot read .*: No such file or directory$"):
        read_recipe(file.parent / "other.yaml")
    with pytest.raises(HybridError, match=r"^cannot read .*null byte$"):
        read_recipe("a\0b")


def test_an_alias_bomb_is_refused(file: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 50)]
    assert fault_of(file, "\n".join(lines)).startswith("recipe.yaml, line 1: anchors")


def test_every_misspelt_setting_is_told_with_its_line(file: Path) -> None:
    lines = dump_recipe(FULL).splitlines()
    assert len(lines) > 50
    for number, line in enumerate(lines):
        misspelt = re.sub(r"(\w+):", r"\1x:", line, count=1)
        said = fault_of(file, "\n".join([*lines[:number], misspelt, *lines[number + 1 :]]))
        key = re.search(r"(\w+):", misspelt)
        assert key is not None
        assert re.match(rf"recipe\.yaml, line {number + 1}: (\S+\.)?{key[1]} is no setting; did you mean", said), said


def test_every_wrong_value_is_told_with_its_line(file: Path) -> None:
    lines = dump_recipe(FULL).splitlines()
    for number, line in enumerate(lines):
        key, colon, value = line.partition(": ")
        if not colon:
            continue
        wrong = [*lines[:number], f"{key}: [[{value}]]", *lines[number + 1 :]]
        said = fault_of(file, "\n".join(wrong))
        assert re.match(rf"recipe\.yaml, line {number + 1}: \S*{key.strip(' -')}(\[0\])? is .*; it must be", said), said


# What is written

texts = st.text(min_size=1) | st.sampled_from(
    ["no", "1e-5", "null", "~", "12:30", "0123", "=", "<<", "- a", "a: b", "&a"]
)
shares = st.floats(0, 1)
positive = st.floats(0, 1, exclude_min=True)
counts = st.integers(1, 10**17)
sources = st.builds(
    SourceSettings,
    source=texts,
    name=st.none() | texts,
    revision=st.none() | texts,
    languages=st.none() | st.lists(texts),
    rows=st.none() | counts,
    mteb_tasks=st.lists(texts),
)
plain = st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | texts
trainings = st.fixed_dictionaries(
    {},
    optional={
        "learning_rate": st.floats(0, 1e300, exclude_min=True),
        "max_steps": counts,
        "bf16": st.booleans(),
        "run_name": texts,
        "report_to": st.lists(texts),
        "lr_scheduler_kwargs": st.dictionaries(texts, plain | st.lists(plain) | st.dictionaries(texts, plain)),
    },
)


def possible_recipe(**values: Any) -> Recipe:
    try:
        return Recipe(**values)
    except ValidationError:  # settings that exclude each other
        reject()


recipes = st.builds(
    possible_recipe,
    preset=st.none() | st.sampled_from(["labse", "xlm-r", "e5", "tiny"]),
    model=st.builds(
        ModelSettings,
        base=texts,
        revision=st.none() | texts,
        max_seq_length=st.none() | counts,
        query_prompt=st.none() | st.text(),
        passage_prompt=st.none() | st.text(),
        freeze_embeddings=st.booleans(),
        dropout=st.none() | shares,
        freeze_layers=st.none() | counts,
        attn_implementation=st.none() | st.sampled_from(["eager", "sdpa", "flash_attention_2"]),
        gradient_checkpointing=st.booleans(),
        lora=st.none() | st.builds(LoraSettings, rank=counts, dropout=shares, target_modules=st.lists(texts)),
    ),
    data=st.lists(sources, min_size=1, max_size=3),
    batches=st.builds(BatchSettings, strategy=st.sampled_from(["mono", "cross", "mixed"]), size=counts)
    | st.builds(
        BatchSettings,
        strategy=st.sampled_from(["hybrid", "bilingual"]),
        alpha=st.none() | shares | st.builds(AlphaSchedule, start=shares, end=shares),
        size_exponent=st.floats(0, 2),
    ),
    loss=st.builds(
        LossSettings,
        temperature=positive,
        symmetric=st.booleans(),
        mini_batch_size=st.none() | counts,
        matryoshka=st.none() | st.lists(counts),
        distillation=st.none() | st.builds(DistillationSettings, teacher=texts, weight=positive),
        contrastive=positive,
        distill=st.none() | st.builds(DistillSettings, teacher=texts, weight=shares, alone=st.floats(0, 0.999)),
        score_distill=st.none() | st.builds(ScoreDistillSettings, teacher=st.none() | texts, weight=shares),
        translate_align=shares,
        keep=shares,
        pivot=texts,
    ),
    validation=st.none()
    | st.builds(ValidationSettings, share=st.floats(0.001, 0.999), languages=st.none() | st.lists(texts))
    | st.builds(ValidationSettings, source=sources, pairs=counts, patience=st.none() | counts),
    training=trainings,
    seed=st.integers(0, 2**32 - 1),
    output=st.none() | texts,
)


@settings(max_examples=30)
@given(recipe=recipes)
def test_a_recipe_is_read_as_it_was_written(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> None:
    text = dump_recipe(recipe)
    file = tmp_path_factory.getbasetemp() / "recipe.yaml"
    file.write_bytes(text.encode())
    again = read_recipe(file)
    assert again == recipe
    assert dump_recipe(again) == text
    values = yaml.safe_load(text)  # other programs, which read YAML 1.1, read the same
    values.pop("resolved", None)
    assert Recipe.model_validate(values) == recipe


def test_a_recipe_as_run_is_readable_and_whole(file: Path) -> None:
    text = dump_recipe(read(file, f"preset: xlm-r\n{OWN_DATA}"))
    assert text.splitlines()[:5] == [
        "# Every setting of the run is here. resolved: the preset is not applied again.",
        "preset: xlm-r",
        "resolved: true",
        "model:",
        "  base: FacebookAI/xlm-roberta-base",
    ]
    assert "\n  languages: [en]\n" in text
    assert text.index("\ndata:") < text.index("\nbatches:") < text.index("\ntraining:") < text.index("\nseed: 42\n")


def test_a_recipe_as_run_takes_nothing_from_its_preset(file: Path) -> None:
    recipe = Recipe(preset="tiny", model=ModelSettings(base="a"), data=[SourceSettings(source="b")])
    assert recipe.training == {}
    assert read(file, dump_recipe(recipe)) == recipe


# What is explained


def test_the_explanation_is_a_recipe_of_the_defaults(file: Path) -> None:
    text = describe_recipe()
    line = text.splitlines().index("  base:  # required: a non-empty text") + 1
    with pytest.raises(HybridError, match=rf"line {line}: model\.base is null; it must be a non-empty text"):
        read(file, text)
    text = text.replace("  base:", "  base: some/model", 1).replace("    source:", "    source: pairs.jsonl", 1)
    assert read(file, text) == read(file, SMALLEST)


def test_the_explanation_tells_every_setting() -> None:
    told = [line.lstrip("# ") for line in describe_recipe().splitlines()]
    models = [Recipe, ModelSettings, LoraSettings, SourceSettings, BatchSettings, AlphaSchedule, LossSettings]
    for model in [*models, DistillationSettings, DistillSettings, ScoreDistillSettings, ValidationSettings]:
        for name, field in model.model_fields.items():
            assert any(line.startswith(f"{name}:") for line in told), name
            for line in (field.description or "").replace("``", "").splitlines():
                assert line in told
    assert "size: 100  # a whole number at least 1" in told
    assert "strategy: hybrid  # one of mono, cross, hybrid, mixed, bilingual" in told
