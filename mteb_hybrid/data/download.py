"""Downloads into the user's cache: checked, whole or not at all, with a progress bar."""

from __future__ import annotations

import logging
from pathlib import Path

from mteb_hybrid.errors import HybridError, one_line


def cache_folder() -> Path:
    """The folder that keeps what was downloaded."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("mteb-hybrid"))


def download(url: str, *, sha256: str | None, folder: str, instead: str) -> Path:
    """Return the local copy of a file, downloading it if it is not there or not whole.

    Args:
        url: where the file is.
        sha256: what it must be; a download that is something else is thrown away. None where nobody publishes it:
            what came is then the caller's to check.
        folder: the folder below ``cache_folder()`` to keep it in.
        instead: what a user without network can do, for the error's text.

    Raises:
        HybridError: the file could not be had.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    target = cache_folder() / folder
    try:
        path = pooch.retrieve(
            url,
            known_hash=f"sha256:{sha256}" if sha256 else None,
            fname=url.rsplit("/", 1)[-1],
            path=target,
            downloader=pooch.HTTPDownloader(progressbar=True, timeout=60),
        )
    except requests.RequestException as error:
        raise HybridError(f"cannot download {url} ({_reason(error)}); try again, or {instead}") from None
    except ValueError:  # pooch: the checksum differs
        raise HybridError(f"{url} has changed: its SHA-256 is not {str(sha256)[:12]}…; {instead}") from None
    except OSError as error:
        raise HybridError(f"cannot keep {url} in {target} ({error.strerror or error}); {instead}") from None
    return Path(path)


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    return f"status {response.status_code}" if response is not None else one_line(type(error).__name__, 80)
