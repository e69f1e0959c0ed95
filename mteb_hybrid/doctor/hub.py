"""The token for the Hub: whether there is one and what it looks like. The Hub is not asked, and no token is shown."""

from __future__ import annotations

import os
import re

from mteb_hybrid.doctor.finding import Findings, ok, wrong

_HOW = "log in with `hf auth login`, or set HF_TOKEN to one with write access"
_OURS = ("hf_", "api_org_")


def token() -> Findings:
    """The token that publishing would use."""
    from huggingface_hub import constants, get_token

    found = get_token()
    in_environment = any(os.environ.get(name) for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"))
    where = "HF_TOKEN" if in_environment else constants.HF_TOKEN_PATH
    if not found:
        yield ok(f"no token for the Hub, which publishing alone needs: {_HOW}")
    elif not re.fullmatch(r"[\x21-\x7e]+", found):
        yield wrong(f"the token in {where} holds spaces or other characters that no token has: {_HOW}")
    elif not found.startswith(_OURS) and not os.environ.get("HF_ENDPOINT"):
        yield wrong(f"the token in {where} is none of the Hub's, which begin with hf_: {_HOW}")
    else:
        yield ok(f"a token for the Hub is in {where}; whether it may write shows when publishing")
