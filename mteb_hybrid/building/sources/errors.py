"""Faults of the places that sources come from, each told in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mteb_hybrid.errors import HybridError, one_line

_BY_NAME = {
    "OfflineModeIsEnabled": "cannot be fetched, for HF_HUB_OFFLINE is set; unset it, or name a folder with its files "
    "(`files`)",
    "GatedRepoError": "is gated: accept its terms at {url}, and log in with `hf auth login`",
    "RevisionNotFoundError": "has no revision {revision}; check it, or leave it out",
    "RepositoryNotFoundError": "is not at {url}, or not for you; check the name, and for a private one log in with "
    "`hf auth login`",
    "DatasetNotFoundError": "is not at {url}, or not for you; check the name, and for a gated or private one log in "
    "with `hf auth login`",
    "EntryNotFoundError": "has no file {path}{at}: it has changed upstream, or `files` is another folder",
    "RemoteEntryNotFoundError": "has no file {path}{at}: it has changed upstream, or `files` is another folder",
    "FileNotFoundError": "has no file {path}{at}: it has changed upstream, or `files` is another folder",
}
"""By the name of the exception: huggingface_hub, datasets and fsspec need not be imported to tell."""

_NETWORK = ("ConnectionError", "TimeoutError", "ClientError", "TransportError", "HTTPError", "HfHubHTTPError")


@contextmanager
def told(source: str, *, url: str, path: str = "", revision: str | None = None) -> Iterator[None]:
    """Turn whatever is raised while a source is fetched and read into one line.

    Args:
        source: what it is called.
        url: where a person finds it.
        path: the file in question.
        revision: of the source.
    """
    at = f" at revision {revision}" if revision else ""
    try:
        yield
    except HybridError:
        raise
    except Exception as error:  # the clients and the readers of foreign files raise whatever they like
        line = _line(error, {"url": url, "path": path, "at": at, "revision": revision or ""})
        raise HybridError(f"{source} {line or _unread(error, path)}") from error


def _line(error: BaseException, facts: dict[str, str]) -> str | None:
    chain = list(_chain(error))
    for behind in chain:
        for kind in type(behind).__mro__:
            if kind.__name__ in _BY_NAME:
                return _BY_NAME[kind.__name__].format(**facts)
    for behind in chain:
        if any(kind.__name__ in _NETWORK for kind in type(behind).__mro__):
            status = getattr(getattr(behind, "response", None), "status_code", None) or getattr(behind, "status", None)
            said = f"status {status}" if status else _said(behind)
            return f"cannot be reached ({said}); check the network, or name a folder with its files (`files`)"
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    behind: BaseException | None = error
    seen = set()
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        yield behind
        behind = behind.__cause__ or behind.__context__


def _unread(error: Exception, path: str) -> str:
    where = f"cannot be read: {path}" if path else "cannot be read"
    return f"{where} ({_said(error)}); fetch it again, or set its revision"


def _said(error: BaseException) -> str:
    from mteb_hybrid.publishing.hub_errors import redact

    return one_line(redact(error), 160).rstrip(".") or type(error).__name__
