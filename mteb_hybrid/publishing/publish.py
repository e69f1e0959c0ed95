"""Publishes a model: weights, recipe, results, figures and card, in one commit; then its short name stands for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from mteb_hybrid.errors import HybridError
from mteb_hybrid.licences import choose_license
from mteb_hybrid.models import NamedModel, keep_model
from mteb_hybrid.publishing.card_parts import front_matter
from mteb_hybrid.publishing.comparison import Comparison, compare
from mteb_hybrid.publishing.content import CardContent
from mteb_hybrid.publishing.dry_run import Files, check_dry_run, look_without_fail, tell_files, write_files
from mteb_hybrid.publishing.eval_results import result_files
from mteb_hybrid.publishing.hub import Pushed, Repository, Target, check_target, look, push, read_file
from mteb_hybrid.publishing.local_model import LocalModel, find_model, load_encoder
from mteb_hybrid.publishing.manifest import (
    CARD,
    GENERATED_CARD,
    MANIFEST,
    Manifest,
    check_same_model,
    read_manifest,
)
from mteb_hybrid.publishing.model_files import model_files, training_files
from mteb_hybrid.publishing.submission import check_submission, write_submission
from mteb_hybrid.reporting.results import ModelResults
from mteb_hybrid.training.outcome import TrainingRecord


@dataclass(frozen=True)
class Choices:
    """What goes with a model beside its files.

    Attributes:
        license: the licence of the model; None takes what its data's licences leave.
        base_model: the Hub id of the base model; None if the record knows it, or there is none.
        results: the folder given to ``mteb run --output-folder``; None for no results.
        baseline: the model that the card shows differences from; None for the base model, if it has results.
        others: further models for the card's tables; all in the folder by default.
    """

    license: str | None = None
    base_model: str | None = None
    results: Path | None = None
    baseline: str | None = None
    others: Sequence[str] = ()


def publish(
    name: str,
    target: Target,
    choices: Choices = Choices(),
    *,
    dry_run: Path | None = None,
    mteb: Path | None = None,
    say: Callable[[str], None] = print,
    show_progress_bar: bool = True,
) -> Pushed | None:
    """Publish a model under its short name.

    Args:
        name: the short name.
        target: where to.
        choices: what goes with it.
        dry_run: write everything to this folder instead.
        mteb: also write to this folder what mteb takes in: results, and the model's description as Python source.
        say: told what is sent, and what there is no telling of otherwise.
        show_progress_bar: whether to show progress.

    Returns:
        What came of it; None of a dry run.

    Raises:
        HybridError: something is missing or contradictory, or the Hub refuses; the repository is then as it was.
    """
    check_target(target)
    check_dry_run(dry_run)
    if mteb is not None:
        check_submission(mteb, target, dry_run=dry_run is not None, results=choices.results is not None)
    model = find_model(name)
    files = model_files(model.folder)
    license = choose_license(choices.license, _data_licenses(model.record))
    comparison = _comparison(model, choices, say)
    if mteb is not None and comparison.own is None:
        raise HybridError(f"--mteb is about results, and {name} as it is now has none; run `mteb run -m {name}` first")
    repository = look(target) if dry_run is None else look_without_fail(target, say)
    before = read_manifest(read_file(target, repository, MANIFEST), target.repo_id)
    check_same_model(name, target.repo_id, repository.files, before)
    content, pictures = _content(model, target, choices, comparison, license)
    files |= training_files(model.record, model.recipe) | result_files(comparison)
    files |= {path: text.encode() for path, text in pictures.items()}
    files |= _card_files(content, target, repository)
    files[MANIFEST] = _manifest(model, files).text().encode()
    gone = [path for path in (before.files if before else ()) if path not in files]
    tell_files(files, gone, say)
    if dry_run is not None:
        write_files(files, dry_run)
        return None
    pushed = push(files, target, repository, delete=gone, show_progress_bar=show_progress_bar)
    if pushed.pull_request is None:
        _keep(NamedModel(name, target.repo_id, pushed.commit, str(model.folder.resolve())))
    if mteb is not None:
        write_submission(mteb, content, pushed.commit)
        say(f"{mteb} holds what mteb takes in: results/ for its repository of results, models/ for its own source")
    return pushed


def _manifest(model: LocalModel, files: Files) -> Manifest:
    return Manifest(name=model.named.name, fingerprint=model.fingerprint, files=tuple(sorted([*files, MANIFEST])))


def _keep(model: NamedModel) -> None:
    try:
        keep_model(model)
    except HybridError as error:
        raise HybridError(f"{model.source} is published at {model.revision}, but not under its name: {error}") from None


def _data_licenses(record: TrainingRecord | None) -> dict[str, str | None]:
    """The licence of each source, of the base model's as well; several of one name are numbered."""
    licenses: dict[str, str | None] = {}
    for source in record.sources if record else ():
        names = chain([source.name], (f"{source.name} ({number})" for number in count(2)))
        licenses[next(name for name in names if name not in licenses)] = source.license
    return licenses


def _comparison(model: LocalModel, choices: Choices, say: Callable[[str], None]) -> Comparison:
    if choices.results is None:
        say("no results: the card has no figures (--results FOLDER adds those of `mteb run --output-folder FOLDER`)")
        return Comparison(None)
    base = model.recipe.model.base if model.recipe else None
    names = model.result_names
    found = compare(choices.results, names, baseline=choices.baseline, base=base, others=choices.others)
    if found.own is None:
        say(
            f"{choices.results} has no results of {model.named.name} as it is now: the card has no figures; run "
            f"`mteb run -m {model.named.name} -t XQuADR XQuADRLanguageBias` first"
        )
    return found


def _content(
    model: LocalModel,
    target: Target,
    choices: Choices,
    comparison: Comparison,
    license: str,
) -> tuple[CardContent, dict[str, str]]:
    """What the card says, and its pictures by path."""
    from mteb_hybrid.publishing.figures import card_figures, language_shares
    from mteb_hybrid.training.recipe_file import dump_recipe

    own, record, recipe = comparison.own, model.record, model.recipe
    drawn = card_figures(own, language_shares(own.folder)) if own else {}
    zero_shot, seen = _zero_shot(own, record)
    base_model = choices.base_model or _hub_id(record)
    languages = dict.fromkeys(tag for source in (record.data if record else ()) for tag in source.languages)
    content = CardContent(
        name=model.named.name,
        repo_id=target.repo_id,
        license=license,
        base_model=base_model,
        base_name=base_model or (record.base if record else ""),
        languages=tuple(languages),
        encoder=load_encoder(model),
        record=record,
        recipe=recipe,
        recipe_text=dump_recipe(recipe) if recipe else "",
        results=own,
        tables=comparison.tables(target.repo_id),
        figures=tuple(drawn),
        zero_shot=zero_shot,
        seen=seen,
    )
    return content, {figure.path: text for figure, text in drawn.items()}


def _hub_id(record: TrainingRecord | None) -> str | None:
    """The base model's Hub id, or else that of what all training began with, if it has one."""
    if record is None:
        return None
    names = (record.origin,) if record.merged_from else (record.base, record.origin)
    return next((name for name in names if name and name.count("/") == 1 and not name.startswith("mteb-hybrid/")), None)


def _zero_shot(own: ModelResults | None, record: TrainingRecord | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The benchmarks on which the model is zero-shot, and those on which it is not, as far as records tell."""
    from mteb_hybrid.registry import declared_data
    from mteb_hybrid.reporting.benchmarks import find_benchmarks

    if own is None or record is None:
        return (), ()
    benchmarks = find_benchmarks([own]).values()
    origins = {record.origin, *(part.origin for part in record.merged_from or ())}
    tasks = record.mteb_tasks | declared_data(origins)
    seen = tuple(each.title for each in benchmarks if not each.data_names.isdisjoint(tasks))
    return tuple(each.title for each in benchmarks if each.title not in seen), seen


def _check_license(card: str, licenses: Mapping[str, str | None]) -> None:
    """A licence that somebody has put into the card on the Hub must not contradict the data's either."""
    license = front_matter(card).get("license")
    if isinstance(license, str):
        choose_license(license, licenses)


def _card_files(content: CardContent, target: Target, repository: Repository) -> dict[str, Path | bytes]:
    """The card, with what its readers have changed in it kept, and the card as generated."""
    from mteb_hybrid.publishing.card import model_card
    from mteb_hybrid.publishing.card_merge import merge_cards

    card = model_card(content)
    base, theirs = (read_file(target, repository, path) for path in (GENERATED_CARD, CARD))
    merged = merge_cards(base, theirs, card)
    _check_license(merged, _data_licenses(content.record))
    return {CARD: merged.encode(), GENERATED_CARD: card.encode()}
