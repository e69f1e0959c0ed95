"""Faults of the Hub and of the way there, each told in one line that holds no token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mteb_hybrid.errors import HybridError, one_line, without_tokens

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

NO_TOKEN = "no token for the Hub; log in with `hf auth login`, or set HF_TOKEN (a token with write access)"

_AGAIN = "run the same command again: what is there already is not sent twice"
_TOKEN = re.compile(r"\b(hf|api)_[A-Za-z0-9_-]{6,}")


class NoConnection(HybridError):
    """The Hub cannot be reached, which is no matter where nothing is sent."""


_BY_STATUS = {
    401: "the Hub does not accept the token; log in with `hf auth login`, or set HF_TOKEN to one with write access",
    403: "the token may not do this with {what}; use one with write access there, or choose another --to",
    404: "{what} is not on the Hub, or the token may not see it; check the name",
    409: "{what} is in the way of itself on the Hub (conflict); wait a little and " + _AGAIN,
    412: "somebody has changed {what} meanwhile; " + _AGAIN,
    413: "the Hub takes nothing as large as this for {what}; leave files out, or ask the Hub for more room",
    429: "the Hub asks for patience (too many requests); wait some minutes and " + _AGAIN,
}


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn what the Hub's client raises into a HybridError.

    Args:
        what: the repository that the talk is about.
    """
    from huggingface_hub import errors

    transport: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]  # of the client's HTTP library
    try:
        yield
    except HybridError:
        raise
    except errors.LocalTokenNotFoundError:
        raise HybridError(NO_TOKEN) from None
    except errors.OfflineModeIsEnabled:
        raise NoConnection("the Hub is switched off by HF_HUB_OFFLINE; unset it to publish") from None
    except errors.HfHubHTTPError as error:
        raise HybridError(_by_status(error, what)) from None
    except errors.HFValidationError as error:
        raise HybridError(f"the Hub cannot take {what} ({_reason(error)}); choose another name") from None
    except (transport, ConnectionError, TimeoutError) as error:
        raise NoConnection(f"no connection to the Hub ({_reason(error)}); check the network and {_AGAIN}") from None
    except Exception as error:  # of an answer that lies the client and its HTTP library raise whatever they like
        cause = _cause(error, (errors.HfHubHTTPError, transport))
        if isinstance(cause, errors.HfHubHTTPError):
            raise HybridError(_by_status(cause, what)) from None
        if cause is not None:
            raise NoConnection(f"no connection to the Hub ({_reason(cause)}); check the network and {_AGAIN}") from None
        raise HybridError(f"publishing {what} failed ({_reason(error)}); mend that and {_AGAIN}") from None


def _cause(error: BaseException, kinds: tuple[type[Exception], ...]) -> Exception | None:
    """What of these kinds lies behind an error: the client wraps some in others."""
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, kinds):
            return behind
        behind = behind.__cause__ or behind.__context__
    return None


def redact(text: object) -> str:
    """The text on one line, with all that looks like a token, and the one in use, taken out."""
    return _TOKEN.sub("hf_***", without_tokens(one_line(text, 2000)))


def _by_status(error: HfHubHTTPError, what: str) -> str:
    status = error.response.status_code
    said = one_line(redact(error.server_message or ""), 200)
    line = _BY_STATUS.get(status, "").format(what=what)
    if not line and status >= 500:
        line = f"the Hub has a fault of its own (status {status}); later, {_AGAIN}"
    line = line or f"the Hub refused {what} (status {status})"
    return f"{line} (the Hub says: {said})" if said else line


def _reason(error: Exception) -> str:
    text = one_line(redact(getattr(error, "strerror", None) or error), 200)
    return text or type(error).__name__
