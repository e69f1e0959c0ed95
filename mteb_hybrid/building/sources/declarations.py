"""The sources that are known by name, one declaration each: what they are, and nothing of how they are read.

What is said here was found in public copies of the pages named in the notes; nobody has fetched the data for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from mteb_hybrid.building.sources.declaration import Declaration, by_name
from mteb_hybrid.building.sources.mmarco import Marco
from mteb_hybrid.building.sources.questions import (
    AnswerLists,
    FaqPages,
    ParallelAnswers,
    RankingQueries,
    SquadFiles,
    TranslatedQuestions,
)
from mteb_hybrid.building.sources.tabular import Tabular

_MARCO_TASKS = (
    "MSMARCO",
    "MSMARCOHardNegatives",
    "MSMARCOv2",
    "NanoMSMARCORetrieval",
    "MultilingualNanoMSMARCORetrieval",
    "MMarcoRetrieval",
    "MMarcoRetrievalMultilingual",
    "MMarcoReranking",
    "VoyageMMarcoReranking",
    "mMARCO-NL",
    "MSMARCO-PL",
    "MSMARCO-PLHardNegatives",
    "MSMARCO-Fa",
    "MSMARCO-FaHardNegatives",
    "MSMARCO-VN",
    "NanoMSMARCO-VN",
)

_NQ_TASKS = (
    "NQ",
    "NQHardNegatives",
    "NanoNQRetrieval",
    "MultilingualNanoNQRetrieval",
    "NQTablesRetrieval",
    "ChemNQRetrieval",
    "NQ-NL",
    "NQ-PL",
    "NQ-PLHardNegatives",
    "NQ-Fa",
    "NQ-FaHardNegatives",
    "NQ-VN",
    "NanoNQ-VN",
    "MKQARetrieval",
)

_MARCO_LANGUAGES = {
    "ar": "arabic",
    "zh": "chinese",
    "nl": "dutch",
    "en": "english",
    "fr": "french",
    "de": "german",
    "hi": "hindi",
    "id": "indonesian",
    "it": "italian",
    "ja": "japanese",
    "pt": "portuguese",
    "ru": "russian",
    "es": "spanish",
    "vi": "vietnamese",
}

_MMARCO = Declaration(
    name="mMARCO",
    source="unicamp-dl/mmarco",
    host="hub",
    revision="6d039c4638c0ba3e46a9cb7b498b145e7edc6230",
    license="other",
    languages=tuple(_MARCO_LANGUAGES),
    layout=Marco(
        triples="data/triples.train.ids.small.tsv",
        queries="data/google/queries/train/{language}_queries.train.tsv",
        passages="data/google/collections/{language}_collection.tsv",
        languages=_MARCO_LANGUAGES,
    ),
    mteb_tasks=_MARCO_TASKS,
    note="English and its translations by Google (v2). The card says Apache 2.0, the maintainers (discussion 4) that "
    "MS MARCO's own terms bind, which allow research alone. Revision and files: the Hub's tree of main.",
)

_NATURAL_QUESTIONS = Declaration(
    name="NaturalQuestions",
    source="sentence-transformers/natural-questions",
    host="hub",
    revision="f9e894e1081e206e577b4eaa9ee6de2b06ae6f17",
    license="cc-by-sa-3.0",
    languages=("en",),
    layout=Tabular(("pair/train-*",), query="query", passage="answer"),
    mteb_tasks=_NQ_TASKS,
    note="Questions with the paragraph that answers them. This card names no licence; it is that of "
    "google-research-datasets/natural_questions. Revision and columns: the commit's page on the Hub.",
)

_RELATIONS = tuple(
    f"P{number}"
    for number in (
        *(106, 112, 127, 131, 136, 159, 17, 170, 175, 176, 19, 20),
        *(26, 264, 276, 36, 40, 407, 413, 495, 50, 69, 740, 800),
    )
)

_ENTITY_QUESTIONS = Declaration(
    name="EntityQuestions",
    source="princeton-nlp/EntityQuestions",
    host="github",
    revision="096c261f327431b30af7ff718670f4bd13214908",
    license="mit",
    languages=("en",),
    layout=AnswerLists(
        "dataset/train/{relation}.train.json",
        _RELATIONS,
        "en",
    ),
    note="There are no passages: a passage is the answers, a name or a few. Later commits have moved the files to a "
    "zip of no revision. Files, form and licence: the repository and its README.",
)

_DUORC = Declaration(
    name="DuoRC",
    source="ibm-research/duorc",
    host="hub",
    revision="2de12436b8945030c283bf4af83925d60efe10c6",
    license="mit",
    languages=("en",),
    layout=Tabular(
        ("SelfRC/train-*", "ParaphraseRC/train-*"),
        query="question",
        passage="plot",
        id="question_id",
        takes=("no_answer", False),
        prefixed=True,
    ),
    note="A passage is the plot of a film, hundreds of words; in ParaphraseRC another plot than the question was asked "
    "of. Revision and columns: the Hub's tree of main and the card.",
)

_NEWSQA = Declaration(
    name="NewsQA",
    source="lucadiliello/newsqa",
    host="hub",
    revision="2520ea19a937069bb0937ab5aae731d05fc8779f",
    license="unknown",
    languages=("en",),
    layout=Tabular(("data/train-*",), query="question", passage="context", id="key"),
    note="The form of MRQA 2019; a passage is an article of CNN. No licence is named; Maluuba/newsqa has no data, says "
    "MIT of itself and leaves the articles to CNN. Revision and columns: the Hub's tree and the card.",
)

_WIKIQA = Declaration(
    name="WikiQA",
    source="microsoft/wiki_qa",
    host="hub",
    revision="3f104672b5de699878fe7907afc486f0de325eb5",
    license="other",
    languages=("en",),
    layout=Tabular(("data/train-*",), query="question", passage="answer", id="question_id", takes=("label", 1)),
    note="A passage is a sentence; those marked as wrong answers are left out. The licence is the Microsoft Research "
    "Data License Agreement. Revision and columns: the Hub's tree of main and the card.",
)

_YAHOO_ANSWERS = Declaration(
    name="YahooAnswers",
    source="sentence-transformers/yahoo-answers",
    host="hub",
    revision="93b3605c508cf93e3666c9d3e34640b5fe62b507",
    license="unknown",
    languages=("en",),
    layout=Tabular(("title-answer-pair/train-*",), query="title", passage="answer"),
    mteb_tasks=("YahooAnswersTopicsClassification", "YahooAnswersTopicsClassification.v2"),
    note="The title of a question with its answer. No licence is named; Yahoo gave the data out for research. "
    "Revision, folders and columns: the commit's page on the Hub.",
)

_MFAQ = Declaration(
    name="MFAQ",
    source="clips/mfaq",
    host="hub",
    revision="72248e10c1bbe5e3c3710e5e969a41947ca43937",
    license="cc0-1.0",
    languages=("en",),
    layout=FaqPages("data/en/train.jsonl", "en"),
    note="Questions and answers of web pages; the English part, the other languages are not its translations. "
    "Revision: the Hub's tree; form: its mfaq.py.",
)

_MR_TYDI = Declaration(
    name="MrTyDi",
    source="castorini/mr-tydi",
    host="hub",
    revision="a05d7f0bf105cb974d293c1d782938074de8d419",
    license="apache-2.0",
    languages=("en",),
    layout=RankingQueries("mrtydi-v1.1-english/train.jsonl.gz", "en"),
    mteb_tasks=(
        "MrTidyRetrieval",
        "MIRACLRetrieval",
        "MIRACLRetrievalHardNegatives",
        "MIRACLRetrievalHardNegatives.v2",
        "MIRACLReranking",
        "MIRACLVisionRetrieval",
    ),
    note="Questions with their passages of Wikipedia; MIRACL was made from it. The English part, the other languages "
    "are not its translations. Revision and files: the Hub's tree; form: the card.",
)

_MKQA_TAGS = (
    *("ar", "da", "de", "en", "es", "fi", "fr", "he", "hu", "it", "ja", "km"),
    *("ko", "ms", "nl", "no", "pl", "pt", "ru", "sv", "th", "tr", "vi"),
)
_MKQA_LANGUAGES = {
    **{tag: tag for tag in _MKQA_TAGS},
    "zh": "zh_cn",
    "zh-HK": "zh_hk",
    "zh-TW": "zh_tw",
}

_MKQA = Declaration(
    name="MKQA",
    source="apple/ml-mkqa",
    host="github",
    revision="094cac08d68d2fb170c31844acdca1bb56d45284",
    license="cc-by-sa-3.0",
    languages=tuple(_MKQA_LANGUAGES),
    layout=ParallelAnswers("dataset/mkqa.jsonl.gz", _MKQA_LANGUAGES),
    mteb_tasks=("MKQARetrieval", *(task for task in _NQ_TASKS if task != "MKQARetrieval")),
    note="Questions of Natural Questions and their translations. There are no passages: a passage is the answers; a "
    "third of the questions has none. Licence and form: the README at the revision (the Hub's card says cc-by-3.0).",
)

_MINTAKA = Declaration(
    name="Mintaka",
    source="amazon-science/mintaka",
    host="github",
    revision=None,
    license="cc-by-4.0",
    languages=("en", "ar", "de", "es", "fr", "hi", "it", "ja", "pt"),
    layout=TranslatedQuestions("data/mintaka_train.json"),
    mteb_tasks=("MintakaRetrieval",),
    note="There are no passages: a passage is the answers. No commit of the present form is known (labels in all "
    "languages; cbb87072c9e0c92a2baf585f1d67b5a9003081a0 has English ones), so main is read: set a revision, for the "
    "same bytes again. Form and licence: the README, and programs that read main.",
)

_SQUAD_SHIFTS = Declaration(
    name="SQuADShifts",
    source="modestyachts/squadshifts-website",
    host="github",
    revision=None,
    branch="master",
    license="cc-by-4.0",
    languages=("en",),
    layout=SquadFiles(
        tuple(f"datasets/{name}_v1.0.json" for name in ("new_wiki", "nyt", "reddit", "amazon_reviews")), "en"
    ),
    note="Meant for validation. A passage is a paragraph. No commit is known, so master is read: set a revision, for "
    "the same bytes again. Addresses: squadshifts.py of ludwigschmidt/squadshifts on the Hub; licence: its card.",
)

_ALL = by_name(
    _MMARCO,
    _NATURAL_QUESTIONS,
    _ENTITY_QUESTIONS,
    _DUORC,
    _NEWSQA,
    _WIKIQA,
    _YAHOO_ANSWERS,
    _MFAQ,
    _MR_TYDI,
    _MKQA,
    _MINTAKA,
    _SQUAD_SHIFTS,
)


def declarations() -> Mapping[str, Declaration]:
    """All declared sources, by name."""
    return _ALL
