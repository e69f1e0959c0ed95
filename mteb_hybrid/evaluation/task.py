"""The one generic mteb task: retrieval over a parallel collection, in one of the three settings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from mteb._evaluators import RetrievalEvaluator
from mteb.abstasks import AbsTaskRetrieval
from mteb.abstasks.retrieval import _filter_queries_without_positives
from mteb.models import (
    CrossEncoderProtocol,
    EncoderProtocol,
    SearchCrossEncoderWrapper,
    SearchEncoderWrapper,
    SearchProtocol,
)
from mteb.timing import TimingStack
from mteb.types import PromptType

from mteb_hybrid.data.collection import ParallelCollection, TextTable
from mteb_hybrid.errors import HybridError
from mteb_hybrid.evaluation.bias_metrics import SHARE_DEPTH, Pool, bias_scores, language_ranks, query_bias_scores
from mteb_hybrid.evaluation.consistency import QueryConsistency, query_consistency, subset_scores
from mteb_hybrid.evaluation.dense import DenseScorer, model_name
from mteb_hybrid.evaluation.encodings import EncodingContext, SharedEncodings
from mteb_hybrid.evaluation.freed import Freed
from mteb_hybrid.evaluation.predictions import PREDICTION_DEPTH, save_predictions
from mteb_hybrid.evaluation.ranking import Floats, Ints, Ranking, Relevance, concatenate, rank
from mteb_hybrid.evaluation.retrieval_metrics import average_precision, retrieval_scores
from mteb_hybrid.evaluation.shared_run import Scored, current_run
from mteb_hybrid.evaluation.splits import Split, build_splits, text_dataset
from mteb_hybrid.subsets import Setting, Subset

if TYPE_CHECKING:
    from datasets import Dataset
    from mteb.models import MTEBModels
    from mteb.types import EncodeKwargs, ScoresDict
    from typing_extensions import TypeIs


logger = logging.getLogger(f"mteb.{__name__}")  # below mteb's, so that its verbosity is ours

SUBSETS_IN_FULL = 1000
"""A task of more subsets reports fewer scores of each: without this, 14,762 subsets would fill 100 MB."""

CUT_OFFS_OF_MANY = (1, 10, 100)


class AbsTaskParallelRetrieval(AbsTaskRetrieval):
    """Retrieval over a parallel collection, with exact ranks over the whole pool.

    Reports every score that mteb reports for retrieval, equal to mteb's, ``map`` without a cut-off, and, where
    the pool holds several languages, the measures of language bias. A task of more than 1,000 subsets reports those of
    mteb's scores that are cut at 1, 10 and 100, and none of abstention (``nauc``). Every distinct text is encoded once
    per model and role, in all subsets and all tasks of a run. Dense and sparse encoders, late interaction and search
    models are ranked over the whole pool; cross-encoders re-rank what ``convert_to_reranking`` gives them.

    Attributes:
        setting: which queries are asked of which pool.
        load_collection: gives the collection; called when the task loads its data.
        token_limits: cut texts at so many tokens, by role, where the model lets its limit be set; None cuts
            nothing beyond the model's own limit.
        dot_product: score with the dot product, whatever similarity the model declares.
    """

    setting: ClassVar[Setting]
    load_collection: ClassVar[Callable[[], ParallelCollection]]
    token_limits: ClassVar[Mapping[PromptType, int] | None] = None
    dot_product: ClassVar[bool] = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._own_encodings: SharedEncodings | None = None
        self._language_of: dict[str, str] = {}
        self._queries: Mapping[str, TextTable] = {}
        self._revision = ""  # of the collection
        self._consistency: tuple[object, Mapping[str, QueryConsistency]] | None = None  # of one model
        self._subsets: dict[str, Subset] = {}
        self._freed = Freed()

    def load_data(self, num_proc: int | None = None, *, timer: TimingStack | None = None, **kwargs: Any) -> None:
        """Load the collection and lay it out as mteb's retrieval tasks do."""
        if self.data_loaded:
            return
        timer = timer or TimingStack()
        with timer("Data loading", log_message=f"Loading dataset {self.metadata.name}..."):
            collection = type(self).load_collection()
            subsets = self.setting.subsets(collection.languages)
            self._subsets = {name: subsets[name] for name in self.hf_subsets}
            (split,) = self.metadata.eval_splits
            self.dataset = build_splits(collection, self._subsets, split)  # type: ignore[assignment]
            self._language_of = {id_: language for language, table in collection.passages.items() for id_ in table.ids}
            self._queries, self._revision = collection.queries, collection.revision
        if self._is_large:
            logger.info(
                f"{self.metadata.name} has {len(self._subsets):,} subsets: of mteb's scores each reports those "
                f"that are cut at {', '.join(map(str, CUT_OFFS_OF_MANY))}"
            )
        with timer("Dataset transform"):
            self.dataset_transform(num_proc=num_proc)
        self.data_loaded = True

    def unload_data(self) -> None:
        """Free the data, and the encodings unless they are shared with other tasks of a run."""
        self._own_encodings = None
        self._language_of, self._queries, self._consistency = {}, {}, None
        super().unload_data()

    def _evaluate_subset(
        self,
        model: MTEBModels,
        data_split: Any,
        *,
        encode_kwargs: EncodeKwargs,
        hf_split: str,
        hf_subset: str,
        prediction_folder: Path | None = None,
        num_proc: int | None = None,
        timer: TimingStack,
        **kwargs: Any,
    ) -> ScoresDict:
        if self._is_large:
            timer = TimingStack()  # mteb keeps what it holds with the results: five entries a subset
        qrels, queries = data_split["relevant_docs"], data_split["queries"]
        query_ids = _ids(queries)
        if not all(qrels.get(id_) for id_ in query_ids):  # somebody has changed the data
            qrels, queries = _filter_queries_without_positives(qrels, queries)
            data_split["relevant_docs"], data_split["queries"] = qrels, queries
            query_ids = _ids(queries)
        self._refuse_what_cannot_work(model, reranking=data_split["top_ranked"] is not None)
        relevance = Relevance.from_qrels(qrels, query_ids, _ids(data_split["corpus"]))
        context = EncodingContext(self.metadata, hf_split, hf_subset, encode_kwargs, num_proc)
        key = self._key(model, data_split, context) if prediction_folder is None else None
        run = current_run()
        scored = run.scored.get((hf_subset, key)) if run and key else None  # another task may rank the same pool
        if scored is None:
            ranking = self._ranking(
                model, data_split, relevance, context, timer, PREDICTION_DEPTH if prediction_folder else 0
            )
            if prediction_folder:
                path = self._predictions_path(prediction_folder)
                save_predictions(path, ranking, model, query_ids, relevance.ids, hf_subset, hf_split)
            scored = self._scored(model, data_split, ranking, relevance.ids, context, timer)
            if run and key:
                run.scored[hf_subset, key] = scored
        self._hold(hf_subset, query_ids, scored)
        scores = dict(scored.scores)
        if self._previous_results_model_meta:
            scores["previous_results_model_meta"] = self._previous_results_model_meta
        return scores

    def _ranking(
        self,
        model: MTEBModels,
        data_split: Any,
        relevance: Relevance,
        context: EncodingContext,
        timer: TimingStack,
        depth: int,
    ) -> Ranking:
        """Where the relevant passages of each query stand, and at least ``depth`` of the best-ranked."""
        if data_split["top_ranked"] is None and _is_plain_encoder(model):
            similarities = self._similarities(model, data_split, context, timer)
        else:
            similarities = self._search(model, data_split, context, timer)
        depth = max(depth, SHARE_DEPTH if self._has_bias(data_split, context) else 0)
        where = f"{self.metadata.name} {context.hf_subset}"
        parts: list[Ranking] = []
        for rows, matrix in similarities:
            with timer("Scoring", split=context.hf_split, subset=context.hf_subset):
                part = Relevance(relevance.passages[rows], relevance.ids)
                parts.append(_rank(model, matrix, part, depth, where, confidence=not self._is_large))
                self._freed.add(matrix.nbytes)
        return concatenate(parts)

    def _scored(
        self,
        model: MTEBModels,
        data_split: Any,
        ranking: Ranking,
        passage_ids: Sequence[str],
        context: EncodingContext,
        timer: TimingStack,
    ) -> Scored:
        bias = self._has_bias(data_split, context)
        with timer("Scoring", split=context.hf_split, subset=context.hf_subset):
            scores = self._retrieval_scores(ranking)
            of_queries: dict[str, Floats] = {"map": average_precision(ranking)}
            ranks: dict[str, Ints] = {}
            if bias:
                pool = self._pool(context.hf_subset, passage_ids)
                scores |= bias_scores(ranking, pool)
                of_queries |= query_bias_scores(ranking, pool)
                ranks = language_ranks(ranking, pool)
        if bias and _is_plain_encoder(model):
            consistency = self._consistency_of_queries(model, data_split, context, timer)
            scores |= subset_scores(consistency)
            of_queries |= consistency
        return Scored(scores, of_queries, ranks)

    def _has_bias(self, data_split: Any, context: EncodingContext) -> bool:
        """Whether the whole of a pool of several languages is ranked."""
        return len(self._subsets[context.hf_subset].corpus_languages) > 1 and data_split["top_ranked"] is None

    def _key(self, model: MTEBModels, data_split: Any, context: EncodingContext) -> Hashable:
        """What a pool is ranked by, the same for all tasks that rank it alike; None where that cannot be told."""
        changed = not isinstance(data_split, Split) or data_split.is_changed
        if changed or not _is_plain_encoder(model) or not self._has_bias(data_split, context):
            return None
        roles = (PromptType.query, PromptType.document)
        scorer = self._scorer(model)
        return (self._revision, tuple(self.k_values), *(scorer.key(role, context) for role in roles))

    @property
    def _is_large(self) -> bool:
        return len(self._subsets) > SUBSETS_IN_FULL

    def _retrieval_scores(self, ranking: Ranking) -> dict[str, Any]:
        """What mteb reports for retrieval, or, where subsets are very many, what of it most look at."""
        if not self._is_large:
            return dict(retrieval_scores(ranking, self.k_values))
        main = self.metadata.main_score
        cut_offs = [k for k in self.k_values if k in CUT_OFFS_OF_MANY or main.endswith(f"_at_{k}")]
        return dict(retrieval_scores(ranking, cut_offs, abstention=False))

    def _hold(self, hf_subset: str, query_ids: list[str], scored: Scored) -> None:
        """Hold the scores of single queries, and the ranks of their answers, until the run saves its results."""
        if (run := current_run()) is not None:
            table = self._queries[self._subsets[hf_subset].query_language]
            group_of = {id_: group for id_, (group,) in zip(table.ids, table.groups, strict=True)}
            groups = [group_of.get(id_, id_) for id_ in query_ids]
            run.query_scores.add(self.metadata.name, hf_subset, query_ids, groups, scored.of_queries, scored.ranks)

    def _refuse_what_cannot_work(self, model: MTEBModels, *, reranking: bool) -> None:
        name = self.metadata.name
        if isinstance(model, CrossEncoderProtocol) and not reranking:
            raise HybridError(
                f"{model_name(model)} is a cross-encoder and cannot search a pool: evaluate a retriever on {name} with "
                f"--prediction-folder first, then get_task({name!r}).convert_to_reranking(FOLDER)"
            )
        if reranking and self.metadata.main_score == "rank_closeness":
            raise HybridError(f"{name} needs the ranking of the whole pool and cannot be a re-ranking task")

    def _scorer(self, model: EncoderProtocol) -> DenseScorer:
        run = current_run()
        encodings = run.encodings if run else self._own_encodings or SharedEncodings()
        self._own_encodings = None if run else encodings
        return DenseScorer(model, encodings, self.token_limits, self.dot_product)

    def _similarities(
        self, model: EncoderProtocol, data_split: Any, context: EncodingContext, timer: TimingStack
    ) -> Iterator[tuple[slice, Floats]]:
        """Similarities of all queries to all passages by shared encodings, in row parts of bounded size."""
        scorer, asked = self._scorer(model), data_split["queries"]
        where = {"split": context.hf_split, "subset": context.hf_subset}
        language = self._subsets[context.hf_subset].query_language
        with timer("Encoding queries", **where):
            queries = scorer.encode(asked, PromptType.query, context, [language] * len(asked))
        with timer("Encoding corpus", **where):
            corpus = self._encode_corpus(scorer, data_split["corpus"], context)
        parts = scorer.in_parts(queries, corpus)
        while True:
            with timer("Computing similarity", **where):
                part = next(parts, None)
            if part is None:
                return
            yield part

    def _encode_corpus(self, scorer: DenseScorer, corpus: Dataset, context: EncodingContext) -> Any:
        return scorer.encode(corpus, PromptType.document, context, [self._language_of[id_] for id_ in _ids(corpus)])

    def _consistency_of_queries(
        self, model: EncoderProtocol, data_split: Any, context: EncodingContext, timer: TimingStack
    ) -> dict[str, Floats]:
        """How alike each query and its versions in other languages rank the pool; one subset computes it for all."""
        where = {"split": context.hf_split, "subset": context.hf_subset}
        if self._consistency is None or self._consistency[0] is not model:
            scorer, corpus, run = self._scorer(model), data_split["corpus"], current_run()
            key = self._key(model, data_split, context)
            known = run.consistency if run and key else {}
            if key not in known:
                with timer("Encoding queries", **where):
                    queries = self._encode_versions(scorer, context)
                with timer("Encoding corpus", **where):
                    passages = self._encode_corpus(scorer, corpus, context)
                with timer("Scoring", split=context.hf_split, subset=context.hf_subset):
                    known[key] = query_consistency(scorer, self._queries, queries, _ids(corpus), passages)
            self._consistency = model, known[key]
        of_query = self._consistency[1][self._subsets[context.hf_subset].query_language]
        rows = [of_query.row_of[id_] for id_ in _ids(data_split["queries"])]
        return {name: values[rows] for name, values in of_query.scores.items()}

    def _encode_versions(self, scorer: DenseScorer, context: EncodingContext) -> list[Any]:
        """Embeddings of the queries of each language, whichever of them this run is about."""
        versions = []
        for name, subset in self.setting.subsets(tuple(self._queries)).items():
            language, own = subset.query_language, replace(context, hf_subset=name)
            if texts := text_dataset(self._queries[language]):
                versions.append(scorer.encode(texts, PromptType.query, own, [language] * len(texts)))
        return versions

    def _search(
        self, model: MTEBModels, data_split: Any, context: EncodingContext, timer: TimingStack
    ) -> Iterator[tuple[slice, Floats]]:
        """Similarities by the model's own search over the whole pool; -inf where it returned nothing."""
        corpus, queries = data_split["corpus"], data_split["queries"]
        search = RetrievalEvaluator(
            corpus=corpus,
            queries=queries,
            task_metadata=context.task_metadata,
            hf_split=context.hf_split,
            hf_subset=context.hf_subset,
            top_ranked=data_split["top_ranked"],
            top_k=len(corpus) if data_split["top_ranked"] is None else self._top_k,
            timer=timer,
        )
        results = search(_search_model(model), encode_kwargs=context.encode_kwargs, num_proc=context.num_proc)
        column = {id_: index for index, id_ in enumerate(_ids(corpus))}
        scores = np.full((len(queries), len(corpus)), -np.inf)
        for row, query in enumerate(_ids(queries)):
            found = results.get(query, {})
            scores[row, [column[id_] for id_ in found]] = list(found.values())
        yield slice(0, len(queries)), scores

    def _pool(self, hf_subset: str, passage_ids: Sequence[str]) -> Pool:
        subset = self._subsets[hf_subset]
        index = {language: position for position, language in enumerate(subset.corpus_languages)}
        of_passage = np.array([index[self._language_of[id_]] for id_ in passage_ids])
        return Pool(subset.corpus_languages, of_passage, index.get(subset.query_language, -1))


def _is_plain_encoder(model: MTEBModels) -> TypeIs[EncoderProtocol]:
    # mteb's own order: what can search for itself is let do so
    return isinstance(model, EncoderProtocol) and not isinstance(model, SearchProtocol)


def _search_model(model: MTEBModels) -> SearchProtocol:
    if _is_plain_encoder(model):
        return SearchEncoderWrapper(model)
    return SearchCrossEncoderWrapper(model) if isinstance(model, CrossEncoderProtocol) else model


def _rank(model: object, scores: Floats, relevance: Relevance, depth: int, where: str, *, confidence: bool) -> Ranking:
    try:
        return rank(scores, relevance, depth=depth, confidence=confidence)
    except ValueError as error:
        raise HybridError(f"cannot rank {where} with {model_name(model)}: {error}") from None


def _ids(dataset: Dataset) -> list[str]:
    ids: list[str] = dataset.with_format("arrow")[:].column("id").to_pylist()
    return ids
