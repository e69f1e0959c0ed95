"""A corpus made parallel: each text once, whatever is killed in between, and back into its rows."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow
import pytest

from mteb_hybrid.building.shards import read_shard, schema_of, write_shard
from mteb_hybrid.building.translation import gates, round_trip, translator
from mteb_hybrid.building.translation.plan import Plan, plan_translation
from mteb_hybrid.building.translation.put_back import PutBack, put_back
from mteb_hybrid.building.translation.run import files_of, run_jobs, translate_corpus
from mteb_hybrid.building.translation.settings import GateSettings, RoundTripSettings, TranslationSettings
from mteb_hybrid.building.translation.shard import translate_shard, translation_jobs
from mteb_hybrid.building.translation.texts import distinct_texts
from mteb_hybrid.building.translation.translator import Translated, Translator
from mteb_hybrid.errors import HybridError
from tests.building.tiny_seq2seq import sentences, tiny_seq2seq, word_by_word

pytest.importorskip("duckdb")

Row = tuple[str | None, ...]

NO_GATES = GateSettings(language=False, shortest=None, longest=None, copied=None, repeats=None)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_seq2seq(tmp_path_factory.mktemp("model"), "nllb"))


@pytest.fixture(scope="module")
def plan(model: str) -> Plan:
    return plan_translation(settings(model), Path())


def settings(model: str, **values: object) -> TranslationSettings:
    return TranslationSettings(
        **{"model": model, "languages": ["de", "ru"], "num_beams": 1, "shard_texts": 4, "gates": NO_GATES, **values}
    )


def write(path: Path, languages: list[str], rows: list[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = zip(*((f"{path.stem}-{number}", None, *row) for number, row in enumerate(rows)), strict=True)
    schema = schema_of(languages)
    write_shard(
        pyarrow.Table.from_arrays([pyarrow.array(c, pyarrow.large_string()) for c in columns], schema=schema), path
    )
    return path


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    """Three shards of two sources: the second has German already in a row, and a row without English."""
    return [
        write(tmp_path / "a" / "0.parquet", ["en"], [("who", "the king"), ("the river", "the king")]),
        write(tmp_path / "a" / "1.parquet", ["en"], [("who", "stone bridge"), ("the city", "the river")]),
        write(
            tmp_path / "b" / "0.parquet",
            ["de", "en"],
            [("wer?", "der König!", "who", "built city"), ("nur", "deutsch", None, None), (None, None, "who", "water")],
        ),
    ]


def outputs(folder: Path, count: int = 3) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return [folder / f"{number}.parquet" for number in range(count)]


def rows(path: Path) -> list[dict[str, str | None]]:
    return read_shard(path).drop_columns(["id", "group"]).to_pylist()


def test_texts_are_collected_once_in_the_order_of_the_rows(shards: list[Path], plan: Plan, tmp_path: Path) -> None:
    texts = distinct_texts(shards, plan.settings, tmp_path / "work")
    assert [path.name for path in texts] == ["000000.parquet", "000001.parquet"]
    table = pyarrow.concat_tables(map(read_shard, texts))
    assert table["text"].to_pylist() == [
        "who", "the king", "the river", "stone bridge", "the city", "built city", "water",
    ]  # fmt: skip
    assert table["number"].to_pylist() == list(range(7))
    assert table["into_de"].to_pylist() == [True] * 5 + [False, True]  # one row has German
    assert table["into_ru"].to_pylist() == [True] * 7


def test_rows_get_their_translations_and_keep_their_own(shards: list[Path], plan: Plan, tmp_path: Path) -> None:
    outcome = translate_corpus(shards, plan, tmp_path / "work", outputs(tmp_path / "out"))
    assert read_shard(outcome.shards[0]).schema == schema_of(["en", "de", "ru"])
    assert read_shard(outcome.shards[2]).schema == schema_of(["de", "en", "ru"])
    assert rows(outcome.shards[1])[1] == {
        "query_en": "the city", "passage_en": "the river", "query_de": "den stadt", "passage_de": "den fluss",
        "query_ru": "эту город", "passage_ru": "эту реку",
    }  # fmt: skip
    own, german, english = rows(outcome.shards[2])
    assert (own["query_de"], own["passage_de"], own["query_ru"]) == ("wer?", "der König!", "кто")
    assert (german["query_de"], german["query_en"], german["query_ru"], german["passage_ru"]) == (
        "nur",
        None,
        None,
        None,
    )
    assert (english["query_de"], english["passage_de"]) == ("wer", "wasser")
    assert outcome.made == {"de": 5, "ru": 6} and not outcome.reasons
    for shard, output in zip(shards, outcome.shards, strict=True):
        assert read_shard(output).select(["id", "query_en"]).equals(read_shard(shard).select(["id", "query_en"]))


def test_each_text_is_translated_once(
    shards: list[Path], plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = count_calls(monkeypatch)
    translate_corpus(shards, plan, tmp_path / "work", outputs(tmp_path / "out"))
    assert calls == Counter({**{("de", text): 1 for text in texts_of(shards) - {"built city"}}, **{
        ("ru", text): 1 for text in texts_of(shards)}})  # fmt: skip


def texts_of(shards: list[Path]) -> set[str]:
    found: set[str | None] = set()
    for path in shards:
        for role in ("query", "passage"):
            found.update(read_shard(path)[f"{role}_en"].to_pylist())
    return {text for text in found if text}


def count_calls(monkeypatch: pytest.MonkeyPatch, kill_after: int | None = None) -> Counter[tuple[str, str]]:
    calls: Counter[tuple[str, str]] = Counter()
    plain = Translator.translate
    done: list[object] = []

    def translate(self: Translator, texts: list[str], route: object) -> list[Translated]:
        if kill_after is not None and len(done) == kill_after:
            raise KeyboardInterrupt
        done.append(route)
        language = {"deu_Latn": "de", "rus_Cyrl": "ru"}[route.direction.first]  # type: ignore[attr-defined]
        calls.update((language, text) for text in texts)
        return plain(self, texts, route)  # type: ignore[arg-type]

    monkeypatch.setattr(Translator, "translate", translate)
    return calls


@pytest.mark.parametrize("kill_after", [0, 2, 5])
def test_a_kill_costs_one_shard(
    shards: list[Path], plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_after: int
) -> None:
    small = replace(plan, settings=plan.settings.model_copy(update={"shard_texts": 2}))  # 4 shards into 2 languages
    whole = translate_corpus(shards, small, tmp_path / "whole", outputs(tmp_path / "whole-out"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        first = count_calls(patch, kill_after)
        translate_corpus(shards, small, tmp_path / "killed", outputs(tmp_path / "killed-out"))
    second = count_calls(monkeypatch)
    again = translate_corpus(shards, small, tmp_path / "killed", outputs(tmp_path / "killed-out"))
    assert sum(first.values()) >= kill_after and max((first + second).values()) == 1
    assert [path.read_bytes() for path in again.shards] == [path.read_bytes() for path in whole.shards]
    assert not list((tmp_path / "killed").glob("back-*"))


def test_what_was_made_of_something_else_is_made_again(
    shards: list[Path], plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    translate_corpus(shards, plan, tmp_path / "work", outputs(tmp_path / "out"))
    beams = replace(plan, settings=plan.settings.model_copy(update={"num_beams": 2}))
    calls = count_calls(monkeypatch)
    assert translate_corpus(shards, plan, tmp_path / "work", outputs(tmp_path / "out")).made["ru"] == 6
    assert not calls
    translate_corpus(shards, beams, tmp_path / "work", outputs(tmp_path / "out"))
    assert sum(calls.values()) == 13
    write(shards[0], ["en"], [("who", "water"), ("the river", "the king")])
    outcome = translate_corpus(shards, beams, tmp_path / "work", outputs(tmp_path / "out"))
    assert rows(outcome.shards[0])[0]["passage_de"] == "wasser"


@pytest.mark.slow
def test_two_devices_give_the_same_files(shards: list[Path], plan: Plan, tmp_path: Path) -> None:
    jobs = [
        translation_jobs(distinct_texts(shards, plan.settings, tmp_path / name), plan, tmp_path / name / "translated")
        for name in ("one", "two")
    ]
    reports: list[tuple[int, int]] = []
    run_jobs(jobs[0], ["cpu"], lambda *report: reports.append(report))
    run_jobs(jobs[1], ["cpu", "cpu"])
    assert reports == [(number, 4) for number in range(5)]
    assert [job.output.read_bytes() for job in jobs[0]] == [job.output.read_bytes() for job in jobs[1]]


@pytest.mark.slow
def test_a_fault_on_one_of_two_devices_is_told(shards: list[Path], plan: Plan, tmp_path: Path) -> None:
    texts = distinct_texts(shards, plan.settings, tmp_path / "work")
    route = plan.routes["de"]
    gone = replace(route, model=replace(route.model, source=str(tmp_path / "gone")))
    broken = replace(plan, routes={**plan.routes, "de": gone, "ru": gone})
    with pytest.raises(HybridError, match="gone does not load as a translation model"):
        run_jobs(translation_jobs(texts, broken, tmp_path / "translated"), ["cpu", "cpu"])


def test_pairs_that_fail_a_gate_are_left_out_and_counted(
    shards: list[Path], model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = {"the king": "", "stone bridge": "мост"}
    plain = Translator.translate

    def translate(self: Translator, texts: list[str], route: object) -> list[Translated]:
        found = plain(self, texts, route)  # type: ignore[arg-type]
        return [Translated(faulty.get(text, result.text)) for text, result in zip(texts, found, strict=True)]

    monkeypatch.setattr(Translator, "translate", translate)
    strict = GateSettings(language=False, shortest=0.7)
    plan = plan_translation(settings(model, gates=strict), Path())
    outcome = translate_corpus(shards, plan, tmp_path / "work", outputs(tmp_path / "out"))
    for language in ("de", "ru"):
        assert outcome.dropped[language] == {gates.EMPTY: 2, gates.LENGTH: 1}  # of a passage each; two rows share one
        assert [row[f"query_{language}"] for row in rows(outcome.shards[0])] == [None, None]
    assert outcome.reasons == Counter({gates.EMPTY: 4, gates.LENGTH: 2})
    assert outcome.made == {"de": 2, "ru": 3}


def test_a_missing_translation_is_told(shards: list[Path], plan: Plan, tmp_path: Path) -> None:
    three = plan.settings.model_copy(update={"shard_texts": 3})  # the last of 7 texts is alone
    jobs = translation_jobs(distinct_texts(shards, three, tmp_path), plan, tmp_path / "translated")
    run_jobs(jobs, ["cpu"])
    files = files_of(jobs, plan)
    with pytest.raises(HybridError, match="1 translations into ru are missing; run the same command again"):
        put_back(shards, {**files, "ru": files["ru"][:-1]}, plan.settings, tmp_path, outputs(tmp_path / "out"))


def test_a_source_without_the_language_stays_as_it_is(plan: Plan, tmp_path: Path) -> None:
    shard = write(tmp_path / "fr.parquet", ["fr"], [("qui", "le roi")])
    outcome = translate_corpus([shard], plan, tmp_path / "work", outputs(tmp_path / "out", 1))
    assert outcome == PutBack([tmp_path / "out" / "0.parquet"], {"de": 0, "ru": 0}, {"de": {}, "ru": {}})
    assert read_shard(outcome.shards[0]).equals(read_shard(shard))


def test_one_language_is_written_in_one_way(plan: Plan, tmp_path: Path) -> None:
    shard = write(tmp_path / "x.parquet", ["en", "deu"], [("who", "king", None, None)])
    with pytest.raises(HybridError, match=r"translation\.languages: the corpus has de as deu; write it so here"):
        distinct_texts([shard], plan.settings, tmp_path / "work")


def test_a_round_trip_keeps_what_means_the_same(shards: list[Path], model: str, tmp_path: Path) -> None:
    def cosines(back: bool, similarity: float) -> pyarrow.Table:
        trip = RoundTripSettings(encoder="mteb-hybrid/tiny", similarity=similarity, back=back)
        plan = plan_translation(settings(model, gates=NO_GATES.model_copy(update={"round_trip": trip})), Path())
        (texts, *_) = distinct_texts(shards, plan.settings, tmp_path / "work")
        return translate_shard(texts, "ru", plan)

    there_and_back = cosines(back=True, similarity=0.99)
    assert there_and_back["similarity"].to_pylist() == pytest.approx([1] * 4, abs=1e-5)
    assert there_and_back["reason"].null_count == 4
    direct = cosines(back=False, similarity=0.99)  # an encoder that knows nothing of Russian
    assert direct["reason"].to_pylist() == [round_trip.MEANING] * 4
    assert max(direct["similarity"].to_pylist()) < 0.5
    assert direct["translation"].to_pylist() == there_and_back["translation"].to_pylist()


@pytest.mark.parametrize("family", ["nllb", "m2m100", "opus", "opus-many"])
def test_ctranslate2_gives_the_same_texts(family: str, tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2")
    folder = str(tiny_seq2seq(tmp_path / family, family))  # type: ignore[arg-type]
    languages = ["de"] if family == "opus" else ["de", "ru"]
    texts = [*sentences(12, seed=5), "the old " * 40, "who " * 38]
    found = []
    for engine in ("transformers", "ctranslate2"):
        plan = plan_translation(settings(folder, languages=languages, engine=engine, max_target_tokens=30), tmp_path)
        for route in plan.routes.values():
            loaded = translator.load_translator(route.model, route.converted, plan.settings.model_dump_json(), "cpu")
            found.append(loaded.translate(texts, route))
    assert found[: len(languages)] == found[len(languages) :]
    assert found[0][0] == Translated(word_by_word(texts[0], "de"))
    assert [result.fault for result in found[0][-2:]] == [translator.TOO_LONG, translator.TRUNCATED]
