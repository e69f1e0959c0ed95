"""Where to publish, before the Hub is asked; and what is told of its faults."""

from __future__ import annotations

import pytest
from huggingface_hub.errors import LocalTokenNotFoundError, OfflineModeIsEnabled

from mteb_hybrid.errors import HybridError
from mteb_hybrid.publishing.hub import Target, check_target
from mteb_hybrid.publishing.hub_errors import redact, told


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"repo_id": "ours"}, "--to ours is not ORGANISATION/NAME"),
        ({"repo_id": "a/b/c"}, "--to a/b/c is no name for the Hub"),
        ({"repo_id": "org/a b"}, "--to org/a b is no name for the Hub"),
        ({"repo_id": "org/a..b"}, "--to org/a..b is no name for the Hub"),
        ({"message": ""}, "--message is empty"),
        ({"revision": "a b"}, "--revision 'a b' cannot be a name in git"),
        ({"revision": "-x"}, "cannot be a name in git"),
        ({"tag": "v1.lock"}, "--tag 'v1.lock' cannot be a name in git"),
        ({"tag": "a/../b"}, "cannot be a name in git"),
        ({"create_pr": True, "tag": "v1"}, "leave out --revision and --tag"),
    ],
)
def test_a_place_that_cannot_be(change: dict[str, object], line: str) -> None:
    values = {"repo_id": "org/ours", "message": "Publish"} | change
    with pytest.raises(HybridError) as caught:
        check_target(Target(**values))  # type: ignore[arg-type]
    assert line in str(caught.value)


def test_a_place_that_can_be() -> None:
    check_target(Target("org/ours", "Publish", revision="feature/x-1", tag="v1.0"))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (LocalTokenNotFoundError("x"), "no token for the Hub"),
        (OfflineModeIsEnabled("x"), "switched off by HF_HUB_OFFLINE"),
        (ConnectionError("refused"), "no connection to the Hub (refused)"),
        (OSError(28, "No space left on device"), "publishing org/ours failed (No space left on device)"),
        (ValueError("what\nis\x1b[31m this"), "publishing org/ours failed (what is [31m this)"),
        (KeyError("url"), "publishing org/ours failed"),
    ],
)
def test_errors_are_one_line(error: Exception, line: str) -> None:
    with pytest.raises(HybridError) as caught, told("org/ours"):
        raise error
    assert line in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_token_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "an-old-token-of-another-form")
    text = "Bearer hf_abcDEF123456 and an-old-token-of-another-form and api_org_abcdefgh"
    assert redact(text) == "Bearer hf_*** and hf_*** and hf_***"


def test_a_fault_of_ours_is_no_fault_of_the_hub() -> None:
    with pytest.raises(HybridError, match=r"^as it was$"), told("org/ours"):
        raise HybridError("as it was")
    with pytest.raises(KeyboardInterrupt), told("org/ours"):
        raise KeyboardInterrupt
