"""The model card, and its pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt

from mteb_hybrid.publishing.card import card_metadata, model_card
from mteb_hybrid.publishing.card_parts import read_card
from mteb_hybrid.publishing.card_tables import duration
from mteb_hybrid.publishing.content import CardContent, Encoder, Figure
from mteb_hybrid.publishing.figures import card_figures, language_shares
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.training.outcome import MergedPart, SourceRecord, TrainingRecord
from mteb_hybrid.training.recipe import Recipe
from mteb_hybrid.training.recipe_file import dump_recipe

SUBSETS = {
    "ToyMonolingual": {"de-de": {"map": 0.8}, "en-en": {"map": 0.9}},
    "ToyCrossLingual": {"de-en": {"map": 0.6}},
    "ToyLanguageBias": {
        "de-all": {"rank_distance": 100.0, "top1_query_language": 0.5},
        "en-all": {"rank_distance": 50.0, "top1_query_language": 1.0},
    },
}
RESULTS = ModelResults("ada/ours", "rev", SUBSETS, dict.fromkeys(SUBSETS, "abc"))


def source(**values: Any) -> SourceRecord:
    fixed = {"name": "MLQA-R", "source": "MLQA-R", "revision": None, "languages": ["de", "en"], "rows": 1148}
    fixed |= {"pairs": 3500, "fingerprint": "0" * 40, "mteb_tasks": ["MLQAR"], "license": "cc-by-nc-4.0"}
    return SourceRecord.model_validate(fixed | values)


def training(**values: Any) -> TrainingRecord:
    fixed: dict[str, Any] = {"base": "ada/base", "base_revision": "1" * 40, "base_mteb_tasks": [], "data": [source()]}
    fixed |= {"steps": 2000, "best_step": 1500, "batch_size": 100, "processes": 1, "batches_digest": "d" * 40}
    fixed |= {"seconds": 7512.0, "hardware": "NVIDIA H200", "versions": {"torch": "2.13"}, "curve": []}
    return TrainingRecord.model_validate(fixed | values)


def recipe(**batches: Any) -> Recipe:
    training = {"max_steps": 2000, "learning_rate": 3e-5}
    return Recipe.model_validate(
        {"model": {"base": "ada/base"}, "data": [{"source": "MLQA-R"}], "batches": batches, "training": training}
    )


def content(**values: Any) -> CardContent:
    made = recipe()
    fixed: dict[str, Any] = {
        "name": "ours",
        "repo_id": "ada/ours",
        "license": "cc-by-nc-4.0",
        "base_model": "ada/base",
        "base_name": "base",
        "languages": ("de", "zh-Hant", "zh-Hans"),
        "encoder": Encoder({"query": "query: ", "document": "passage: "}, "cosine", 512, 384, 118_000_000),
        "record": training(),
        "recipe": made,
        "recipe_text": dump_recipe(made),
        "results": RESULTS,
        "tables": "### Mean average precision\n\n| model | mono |\n| --- | ---: |\n| ours | 0.850 |",
        "figures": (Figure("figures/Toy-map.svg", "Toy: MAP"),),
        "zero_shot": ("Toy",),
        "seen": ("MLQA-R",),
    }
    return CardContent(**fixed | values)


UNTRAINED: dict[str, Any] = {"record": None, "recipe": None, "recipe_text": "", "seen": ()}
UNMEASURED: dict[str, Any] = {"results": None, "tables": "", "figures": (), "zero_shot": (), "seen": ()}


def sections(text: str) -> dict[str, str]:
    return {name: part.text for (name, _), part in read_card(text).sections.items()}


def test_a_whole_card() -> None:
    text = model_card(content())
    found = sections(text)
    assert list(found) == [
        *("quick start", "results", "by language", "training data", "recipe", "hardware and time", "limits", "licence"),
        "citation",
    ]
    assert text.endswith("```\n") and "\n\n\n" not in text
    assert "# ours\n" in text and "[base](https://huggingface.co/ada/base), trained further with hybrid batches" in text
    assert "in one language with a chance (*alpha*) of 0.5" in text
    assert "| ours | 0.850 |" in found["results"]
    assert "**Not zero-shot on MLQA-R**" in found["results"] and "Zero-shot on Toy:" in found["results"]
    assert "![Toy: MAP](figures/Toy-map.svg)" in found["by language"]
    assert "| MLQA-R | de, en | 1,148 | 3,500 | cc-by-nc-4.0 | MLQAR |" in found["training data"]
    for row in [
        "| strategy | hybrid |",
        "| pairs in a batch | 100 |",
        "| steps | 2,000 |",
        "| learning rate | 3e-05 |",
    ]:
        assert row in found["recipe"]
    assert "| best step, whose weights these are | 1,500 |" in found["recipe"]
    for row in ["| hardware | NVIDIA H200 |", "| time | 2 h 5 min |", f"| digest of all batches | `{'d' * 40}` |"]:
        assert row in found["hardware and time"]
    assert "Texts are cut after 512 tokens" in found["limits"]
    assert "Measured but not trained on: en." in found["limits"]
    assert "Trained on but not measured: zh-Hant, zh-Hans." in found["limits"]
    assert "`cc-by-nc-4.0`" in found["licence"] and "MLQA-R (cc-by-nc-4.0)" in found["licence"]
    assert "2408.10536" in found["citation"] and "roy2020lareqa" in found["citation"]


def test_the_recipe_is_there_as_yaml() -> None:
    fences = [token for token in MarkdownIt().parse(sections(model_card(content()))["recipe"]) if token.type == "fence"]
    assert [Recipe.model_validate(yaml.safe_load(token.content)) for token in fences] == [recipe()]


def test_the_quick_start_is_python() -> None:
    (python, shell) = (token for token in MarkdownIt().parse(model_card(content())) if token.info in {"python", "bash"})
    compile(python.content, "card", "exec")
    assert 'SentenceTransformer("ada/ours")' in python.content
    assert "mteb run -m ada/ours -t XQuADR XQuADRLanguageBias\n" in shell.content


def test_prompts() -> None:
    assert 'put `"query: "` before a query and `"passage: "` before a passage, as in training' in model_card(content())
    encoder = replace(content().encoder, prompts={"query": "", "sts": "x"}, similarity="dot")
    text = model_card(content(encoder=encoder))
    assert "There are no prompts. Vectors are compared by dot similarity." in text


@pytest.mark.parametrize(
    ("more", "gone"),
    [
        (UNTRAINED, {"training data", "recipe", "hardware and time"}),
        (UNMEASURED, {"results", "by language"}),
        (UNTRAINED | UNMEASURED, {"results", "by language", "training data", "recipe", "hardware and time"}),
        ({"figures": ()}, {"by language"}),
    ],
)
def test_sections_without_content_are_left_out(more: dict[str, Any], gone: set[str]) -> None:
    text = model_card(content(**more))
    found = sections(text)
    assert set(sections(model_card(content()))) - set(found) == gone
    assert "\n\n\n" not in text and "None" not in text
    assert all(part.has_content for part in read_card(text).sections.values())
    assert ("model-index" in text) == (more.get("results", RESULTS) is not None)
    assert "model_name" not in text


def test_metadata_are_those_put_in() -> None:
    data = ModelCard(model_card(content())).data
    assert data.to_dict() == card_metadata(content()).to_dict()
    assert data["language"] == ["de", "zh"]
    assert data["language_bcp47"] == ["zh-Hant", "zh-Hans"]
    assert data["license"] == "cc-by-nc-4.0"
    assert data["base_model"] == "ada/base"
    assert data["datasets"] is None  # MLQA-R is no data set of the Hub
    assert {"sentence-transformers", "mteb", "hybrid-batches", "language-bias"} <= set(data["tags"])


def test_results_in_the_metadata_are_means_over_subsets() -> None:
    data = ModelCard(model_card(content())).data
    assert data["model_name"] == "ours"
    found = [
        (each.dataset_type, each.metric_type, each.metric_value, each.metric_name) for each in data["eval_results"]
    ]
    assert found == [
        ("ToyMonolingual", "map", 0.85, "MAP, mean of all subsets"),
        ("ToyCrossLingual", "map", 0.6, "MAP, mean of 1 of 2 subsets"),
        ("ToyLanguageBias", "rank_distance", 75.0, "rank distance, mean of all subsets"),
        ("ToyLanguageBias", "top1_query_language", 0.75, "top 1 in query language, mean of all subsets"),
    ]
    assert {each.dataset_revision for each in data["eval_results"]} == {"abc"}


def test_data_sets_of_the_hub_are_named_and_files_are_not() -> None:
    names = ["ada/corpus", "data/mine.jsonl", "mine.parquet", "ada/corpus", "a/b/c", "../up", "ParallelWorld", "x y/z"]
    data = [source(name=f"s{place}", source=name) for place, name in enumerate(names)]
    assert card_metadata(content(record=training(data=data))).datasets == ["ada/corpus"]


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ({"strategy": "mono"}, ["with monolingual batches.", "all queries and passages of a batch were in one"]),
        ({"strategy": "cross"}, ["with cross-lingual batches against", "its passage in another"]),
        ({"strategy": "mixed"}, ["batches of mixed languages", "in the language of its passage"]),
        ({"strategy": "bilingual"}, ["(*alpha*) of 0;", "all queries were in one"]),
        ({"alpha": 0.3}, ["(*alpha*) of 0.3;", "| alpha, the share of monolingual batches | 0.3 |"]),
        (
            {"alpha": {"start": 0.8, "end": 0.2}},
            ["(*alpha*) that goes from 0.8 at the start to 0.2 at the end (linear)"],
        ),
        ({"alpha": {"start": 0.8, "end": 0.2, "schedule": "constant"}}, ["(*alpha*) of 0.8;"]),
    ],
)
def test_strategies_in_words(batches: dict[str, Any], words: list[str]) -> None:
    text = model_card(content(recipe=recipe(**batches)))
    assert [word for word in words if word not in text] == []


def test_losses_in_words() -> None:
    loss = {"symmetric": True, "mini_batch_size": 32, "matryoshka": [64, 128], "distillation": {}}
    changed = Recipe.model_validate(recipe().model_dump() | {"loss": loss})
    text = sections(model_card(content(recipe=changed)))["recipe"]
    for words in [
        "temperature 0.05; in both",
        "in parts of 32",
        "first 64, 128 numbers",
        "from the base model, weight 1",
    ]:
        assert words in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.24, "0.2 s"), (42.3, "42 s"), (90, "2 min"), (3600, "1 h 0 min"), (7512, "2 h 5 min"), (200_000, "2 days 8 h")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


NASTY = 'x |<script>alert(1)</script>`\n---\n## Injected\n```\n"]({{ 7 * 7 }})\u202e\x00\ud800' + "y" * 10_000_000


def with_text(text: str) -> CardContent:
    """A card on which every text that a user can supply is this one."""
    nasty_source = source(name=text, source=text, languages=[text, "de"], mteb_tasks=[text], license=text)
    before = nasty_source.model_copy(update={"rows": 1})
    record = training(
        data=[nasty_source], base_data=[before], hardware=text, versions={text: text}, batches_digest=text, base=text
    )
    changed = Recipe.model_validate(recipe().model_dump() | {"training": {"optim": text, "learning_rate": text}})
    return content(
        **dict.fromkeys(["name", "repo_id", "license", "base_model", "base_name", "recipe_text"], text),
        languages=(text, "de"),
        encoder=Encoder({"query": text, "document": text}, text, 512, 384, 1),
        record=record,
        recipe=changed,
        figures=(Figure(text, text),),
        zero_shot=(text,),
        seen=(text, text),
    )


def test_text_of_users_stays_in_its_place() -> None:
    text, harmless = model_card(with_text(NASTY)), model_card(with_text("harmless"))
    assert len(text) < 100_000
    text.encode()  # no half characters
    assert not {"\u202e", "\x00"} & set(text)
    assert "49" not in text  # 7 * 7: what looks like a template is none
    assert list(sections(text)) == list(sections(harmless))
    assert tags_of(text) == tags_of(harmless)
    assert ModelCard(text).data.to_dict() == card_metadata(with_text(NASTY)).to_dict()


def tags_of(text: str) -> list[str]:
    """The kinds of all that a reader sees, in order; a span of code counts as text."""
    tokens = MarkdownIt("commonmark").enable("table").parse(ModelCard(text).text)
    parts = [part for token in tokens for part in [token, *(token.children or [])]]
    return [part.type for part in parts if part.type not in {"text", "code_inline", "text_special"}]


def test_pictures_of_map_and_of_languages_among_the_first_ten() -> None:
    shares = {"Toy": {"de": {"de": 0.9, "en": 0.1}}}
    found = card_figures(RESULTS, shares)
    assert [figure.path for figure in found] == ["figures/Toy-map.svg", "figures/Toy-language-share.svg"]
    maps, languages = found.values()
    # rows are queries: de with de and en, en with (nothing run) and en
    assert figures_of(maps) == ["0.80", "0.60", "–", "0.90"]
    assert figures_of(languages) == ["90%", "10%", "–", "–"]
    assert [figure.path for figure in card_figures(RESULTS)] == ["figures/Toy-map.svg"]


def figures_of(svg: str) -> list[str]:
    texts = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return [each.text or "" for each in texts if each.get("fill")]


def test_benchmarks_of_any_name_have_files_of_their_own() -> None:
    names = ["Über uns", "Uber/uns", "../../etc", "Ü" * 1000, "a b", "a-b"]
    subsets = {f"{name}Monolingual": {"de-de": {"map": 0.5}} for name in names}
    paths = [figure.path for figure in card_figures(ModelResults("m", "r", subsets, {}))]
    assert len(set(paths)) == len(names)
    assert all(Path(path).parent == Path("figures") and path.isascii() and len(path) < 100 for path in paths)


def test_language_shares_are_read_from_result_files(tmp_path: Path) -> None:
    def write(task: str, subsets: dict[str, Any]) -> None:
        entries = [{"hf_subset": name, "language_share_at_10": shares} for name, shares in subsets.items()]
        (tmp_path / f"{task}.json").write_text(json.dumps({"scores": {"test": entries}}))

    assert language_shares(tmp_path) == {}
    write("ToyMultilingual", {"de-all": {"de": 0.1, "en": 0.9}, "zh_Hant-all": {"de": 1}})
    write("ToyLanguageBias", {"de-all": {"de": 0.7, "en": 0.3}, "x": {"de": 1}, "en-all": None})
    (tmp_path / "OtherLanguageBias.json").write_text("[")
    (tmp_path / "MoreLanguageBias.json").write_text("[1]")
    assert language_shares(tmp_path) == {"Toy": {"de": {"de": 0.7, "en": 0.3}, "zh-Hant": {"de": 1.0}}}


def test_the_objectives_of_the_loss_are_told() -> None:
    made = recipe()
    loss = {"distill": {"weight": 0.2, "alone": 0.25}, "score_distill": {"teacher": "ada/wise"}, "keep": 0.5}
    told = Recipe.model_validate({**made.model_dump(), "loss": {**loss, "contrastive": 0.8, "pivot": "de"}})
    text = model_card(content(recipe=told))
    assert "InfoNCE with in-batch negatives, temperature 0.05, weight 0.8" in text
    assert "drawn to where the base model has them in de, weight 0.2, alone for the first 25% of the steps" in text
    assert "parallel query in de by ada/wise, weight 1" in text
    assert "kept where the base model has them, weight 0.5" in text
    assert "weight" not in model_card(content()).partition("InfoNCE")[2].partition("\n")[0]


def test_a_merged_model_says_what_it_is_the_mean_of() -> None:
    parts = [MergedPart(source=name, revision=None, weight=0.5, origin=name, mteb_tasks=[]) for name in ("a/b", "c/d")]
    text = model_card(content(record=training(merged_from=parts), recipe=None, recipe_text=""))
    assert "the mean of several models' weights: 0.5 of a/b and 0.5 of c/d" in text
    assert "one seed" not in text
    assert "Hardware" not in text


def test_two_sources_of_one_name_have_a_licence_each() -> None:
    data = [source(name="corpus", source="a.jsonl"), source(name="corpus", source="b.jsonl", license=None)]
    found = sections(model_card(content(record=training(data=data))))
    assert "| corpus (`a.jsonl`) | de, en | 1,148 | 3,500 | cc-by-nc-4.0 |" in found["training data"]
    assert "| corpus (`b.jsonl`) | de, en | 1,148 | 3,500 | not known |" in found["training data"]
    assert "corpus (cc-by-nc-4.0) and corpus (not known)." in found["licence"]


def test_what_the_base_model_was_trained_on_is_told() -> None:
    before = source(name="older", source="ada/older", license="cc-by-sa-4.0")
    text = model_card(content(record=training(base_data=[before, source()])))
    found = sections(text)
    assert "Before these data, training was on older (cc-by-sa-4.0)." in found["training data"]
    assert "training data: MLQA-R (cc-by-nc-4.0) and older (cc-by-sa-4.0)." in found["licence"]
    assert ModelCard(text).data["datasets"] == ["ada/older"]


def test_the_time_of_a_resumed_training_is_that_since_it_was_resumed() -> None:
    found = sections(model_card(content(record=training(resumed_at=1200))))
    assert "| time | 2 h 5 min, since step 1,200, where it was resumed |" in found["hardware and time"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "It is [base](https://huggingface.co/ada/base) and was not trained with mteb-hybrid; its language bias"),
        ({"base_model": None, "base_name": ""}, "It was not trained with mteb-hybrid; its language bias was measured"),
        ({"base_model": None, "base_name": ""} | UNMEASURED, "It was not trained with mteb-hybrid.\n"),
    ],
)
def test_a_model_that_was_not_trained_here(more: dict[str, Any], words: str) -> None:
    assert words in model_card(content(**UNTRAINED | more))


def test_a_merge_of_models_that_nothing_is_known_of() -> None:
    parts = [MergedPart(source=name, revision=None, weight=0.5, origin=None, mteb_tasks=[]) for name in ("a", "b")]
    record = training(merged_from=parts, data=[])
    found = sections(model_card(content(record=record, recipe=None, recipe_text="", base_model=None)))
    assert "training data" not in found
    assert "training data" not in found["licence"]
