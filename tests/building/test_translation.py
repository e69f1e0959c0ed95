"""How models are told languages, and what is refused before anything starts."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mteb_hybrid.building.translation import plan as plan_module
from mteb_hybrid.building.translation.batches import token_batches
from mteb_hybrid.building.translation.naming import find_direction, first_id, source_ids
from mteb_hybrid.building.translation.plan import Plan, plan_translation, with_commits
from mteb_hybrid.building.translation.settings import GateSettings, RoundTripSettings, TranslationSettings
from mteb_hybrid.building.translation.tags import code_for, nearest_code
from mteb_hybrid.building.translation.translator import TOO_LONG, TRUNCATED, Translated, Translator, load_translator
from mteb_hybrid.errors import HybridError
from mteb_hybrid.training.base_model import Base
from tests.building.tiny_seq2seq import LANGUAGES, sentences, tiny_seq2seq, word_by_word

FAMILIES = ("nllb", "m2m100", "opus-many", "opus", "madlad", "t5")
NO_GATES = GateSettings(language=False, shortest=None, longest=None, copied=None, repeats=None)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    return {family: str(tiny_seq2seq(folder / family, family)) for family in FAMILIES}


def settings(model: str | dict[str, str], *languages: str, **values: object) -> TranslationSettings:
    return TranslationSettings(
        **{"model": model, "languages": list(languages or ("de", "ru")), "num_beams": 1, "gates": NO_GATES, **values}
    )


def translator(plan: Plan, language: str) -> Translator:
    return load_translator(plan.routes[language].model, None, plan.settings.model_dump_json(), "cpu")


def test_models_on_the_hub_are_named_by_their_commits(models: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in folders have none; a model by each language has a commit by each."""
    found = {"our/encoder": "e" * 40, "our/de": "d" * 40, "our/ru": "f" * 40, "our/both": "b" * 40}
    monkeypatch.setattr(
        plan_module, "find_model", lambda name, revision, _: Base("hub", name, f"{revision or 'newest'} {found[name]}")
    )

    def commits(by: str | dict[str, str], at: Any = None, **trip: Any) -> tuple[Any, Any, Any]:
        gates = GateSettings(round_trip=RoundTripSettings(encoder="our/encoder", **trip))
        pinned = with_commits(settings(by, revision=at, gates=gates))
        assert pinned.gates.round_trip is not None
        return pinned.revision, pinned.gates.round_trip.revision, pinned.gates.round_trip.model_revision

    encoder, de, ru = (f"newest {found[f'our/{name}']}" for name in ("encoder", "de", "ru"))
    assert commits("our/both") == (f"newest {'b' * 40}", encoder, None)
    assert commits("our/both", "v1", revision="v2") == (f"v1 {'b' * 40}", f"v2 {'e' * 40}", None)
    by_language = {"de": "our/de", "ru": "our/ru"}
    assert commits(by_language, {"de": "v1"}) == ({"de": f"v1 {'d' * 40}", "ru": ru}, encoder, None)
    assert commits({"de": "our/de", "ru": models["opus"]}) == ({"de": de}, encoder, None)
    assert commits(models["nllb"], model=by_language) == (None, encoder, {"de": de, "ru": ru})
    assert with_commits(settings(models["nllb"])) == settings(models["nllb"])


@pytest.mark.parametrize(
    ("tag", "code"),
    [("de", "deu_Latn"), ("ar", "arb_Arab"), ("zh", "zho_Hans"), ("zh-TW", "zho_Hant"), ("fa", "pes_Arab"),
     ("ko", "kor_Hang"), ("no", "nob_Latn"), ("ms", "zsm_Latn"), ("ps", "pbt_Arab"), ("sw", "swh_Latn"),
     ("pt-BR", "por_Latn"), ("deu-Latn", "deu_Latn"), ("sr", "srp_Cyrl"), ("sr-Latn", None), ("br", None)],
)  # fmt: skip
def test_tags_are_mapped_to_the_codes_of_flores(tag: str, code: str | None) -> None:
    from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES

    assert code_for(tag, FAIRSEQ_LANGUAGE_CODES) == code


def test_tags_are_mapped_to_other_codes() -> None:
    assert code_for("zh", ["zh_CN", "de_DE"]) == "zh_CN"
    assert code_for("pt", ["pt_XX"]) == "pt_XX"
    assert code_for("nso", ["ns"]) == "ns"
    assert code_for("pt-BR", ["pt_BR", "pt"]) == "pt_BR"
    assert code_for("de", ["<unk>", "ROMANCE", "xx"]) is None
    assert nearest_code("zh-Hant", ["zh", "de"]) == "zh"
    assert nearest_code("nb", ["translate"]) is None


@pytest.mark.parametrize("family", ["nllb", "m2m100", "opus-many"])
def test_a_model_of_many_languages_translates(models: dict[str, str], family: str) -> None:
    plan = plan_translation(settings(models[family]), Path())
    texts = sentences(30)
    for language in ("de", "ru"):
        outcome = translator(plan, language).translate(texts, plan.routes[language])
        assert outcome == [Translated(word_by_word(text, language)) for text in texts]


def test_models_of_one_pair_are_named_by_language(models: dict[str, str]) -> None:
    plan = plan_translation(settings({"de": models["opus"], "ru": models["nllb"]}), Path())
    assert plan.routes["de"].direction.family == "one pair"
    assert translator(plan, "de").translate(["the king"], plan.routes["de"]) == [Translated("den könig")]
    assert translator(plan, "ru").translate(["the king"], plan.routes["ru"]) == [Translated("эту король")]


def test_what_each_family_reads(models: dict[str, str]) -> None:
    found = {}
    for family in FAMILIES:
        plan = plan_translation(settings(models[family], "de"), Path())
        tokenizer = translator(plan, "de").tokenizer
        direction = plan.routes["de"].direction
        tokens = tokenizer.convert_ids_to_tokens(source_ids(tokenizer, direction, ["the king"])[0])
        first = first_id(tokenizer, direction)
        found[family] = ([*tokens], first and tokenizer.convert_ids_to_tokens([first])[0])
    king = ["▁the", "▁king", "</s>"]
    assert found["nllb"] == (["eng_Latn", *king], "deu_Latn")
    assert found["m2m100"] == (["__en__", *king], "__de__")
    assert found["opus-many"] == ([">>deu<<", *king], None)
    assert found["opus"] == (king, None)
    assert found["madlad"][0][0] == "<2de>" and found["madlad"][0][-3:] == king
    assert found["t5"][0][-3:] == king and len(found["t5"][0]) > 3  # words, of which its vocabulary knows none


def test_mbart_names_countries() -> None:
    tokenizer = SimpleNamespace(src_lang="en_XX", get_vocab=lambda: {"<s>": 0, "en_XX": 1, "de_DE": 2, "zh_CN": 3})
    direction = find_direction(tokenizer, None, ("en", "zh"), "mbart")
    assert (direction.source, direction.first) == ("en_XX", "zh_CN")


@pytest.mark.parametrize(
    ("family", "language", "message"),
    [
        ("nllb", "uk", "has no uk; the nearest that it has is rus_Cyrl"),
        ("m2m100", "zh-Hant", "has no zh-Hant; the nearest that it has is zh"),
        ("opus-many", "uk", "has no uk; the nearest that it has is rus"),
        ("opus", "ru", "has no ru; the nearest that it has is de"),
        ("madlad", "fr", "has no fr; the nearest that it has is "),
        ("t5", "fr", "has no fr; the nearest that it has is de"),
    ],
)
def test_a_language_that_a_model_lacks_is_refused(
    models: dict[str, str], family: str, language: str, message: str
) -> None:
    with pytest.raises(HybridError, match=message):
        plan_translation(settings(models[family], language), Path())


@pytest.mark.parametrize("family", ["nllb", "opus", "opus-many"])
def test_a_language_that_a_model_does_not_read_is_refused(models: dict[str, str], family: str) -> None:
    with pytest.raises(HybridError, match=r"has no fr; the nearest|translates from en(g)?, not from fr"):
        plan_translation(settings(models[family], "de", language="fr"), Path())


def test_a_model_that_says_nothing_needs_its_language_named(models: dict[str, str], tmp_path: Path) -> None:
    silent = shutil.copytree(models["opus"], tmp_path / "silent")
    config = json.loads((silent / "tokenizer_config.json").read_text())
    (silent / "tokenizer_config.json").write_text(json.dumps({**config, "source_lang": None, "target_lang": None}))
    with pytest.raises(HybridError, match=r"does not say what languages it translates; .*model: {de: "):
        plan_translation(settings(str(silent), "de"), Path())
    plan = plan_translation(settings({"de": str(silent)}, "de"), Path())
    assert translator(plan, "de").translate(["the king"], plan.routes["de"]) == [Translated("den könig")]


def test_faults_before_the_start(models: dict[str, str], tmp_path: Path) -> None:
    nllb = models["nllb"]
    with pytest.raises(HybridError, match="deu and de are one language"):
        plan_translation(settings(nllb, "de", "deu"), Path())
    with pytest.raises(HybridError, match="eng and en are one language"):
        plan_translation(settings(nllb, "eng"), Path())
    with pytest.raises(HybridError, match=r"translation\.model: .*is no folder, short name or Hub id"):
        plan_translation(settings(str(tmp_path / "none")), Path())
    trip = GateSettings(language=False, round_trip=RoundTripSettings(encoder="mteb-hybrid/tiny"))
    with pytest.raises(HybridError, match="opus translates from en, not from de"):
        plan_translation(settings(models["opus"], "de", gates=trip), Path())


def test_weights_that_can_run_code_are_refused(models: dict[str, str], tmp_path: Path) -> None:
    import torch

    pickled = shutil.copytree(models["nllb"], tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    torch.save({}, pickled / "pytorch_model.bin")
    with pytest.raises(HybridError, match="can run code when it is loaded; save the model as safetensors"):
        plan_translation(settings(str(pickled)), Path())


def test_settings_that_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="int8 needs engine: ctranslate2"):
        settings("a/b", dtype="int8")
    with pytest.raises(ValueError, match="model names none for ru"):
        settings({"de": "a/b"})
    with pytest.raises(ValueError, match="revision names fr"):
        settings("a/b", revision={"fr": "1"})


def test_batches_hold_texts_of_one_length() -> None:
    assert list(token_batches([3, 9, 2, 3, 30], 10)) == [[4], [1], [0, 3, 2]]
    assert list(token_batches([], 10)) == []


def test_batches_change_no_translation(models: dict[str, str]) -> None:
    texts = sentences(25, seed=3)
    outcomes = []
    for tokens in (1, 30, 4096):
        plan = plan_translation(settings(models["nllb"], "de", batch_tokens=tokens), Path())
        outcomes.append(translator(plan, "de").translate(texts, plan.routes["de"]))
    assert outcomes[0] == outcomes[1] == outcomes[2] == [Translated(word_by_word(text, "de")) for text in texts]


@pytest.mark.parametrize("family", ["nllb", "opus"])
def test_texts_that_are_too_long_and_translations_without_an_end(models: dict[str, str], family: str) -> None:
    texts = ["the", "the old " * 30, "the king built the bridge"]  # 48 places
    plan = plan_translation(settings(models[family], "de", max_target_tokens=4), Path())
    found = translator(plan, "de").translate(texts, plan.routes["de"])
    assert found == [Translated("den"), Translated("", TOO_LONG), Translated("", TRUNCATED)]


def test_what_a_plan_is_known_by(models: dict[str, str]) -> None:
    plan = plan_translation(settings(models["nllb"]), Path())
    elsewhere = plan_translation(settings(models["nllb"], "de", devices=["cpu", "cpu"], batch_tokens=7), Path())
    assert plan.key("de") == elsewhere.key("de") != plan.key("ru")
    assert plan.key("de") != plan_translation(settings(models["nllb"], num_beams=2), Path()).key("de")
    assert plan.key("de") != plan_translation(settings(models["m2m100"]), Path()).key("de")


def test_the_tiny_models_are_the_same_each_time(tmp_path: Path) -> None:
    first, again = (tiny_seq2seq(tmp_path / name, "opus-many") for name in ("first", "again"))
    assert all((again / path.name).read_bytes() == path.read_bytes() for path in first.iterdir())
    assert LANGUAGES == ("en", "de", "ru")
