"""Runs commands in forks of one process that has imported what they need: each is as good as a fresh one, and faster.

The client reads its environment when it is imported, so this is a process of its own, with that environment:
``python -m tests.publishing.worker``. It reads a request a line (JSON: ``main``, ``words``, ``folder``, ``env``,
``out``) and answers with the exit code.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def _mteb_hybrid(words: list[str]) -> int:
    from mteb_hybrid.cli import main

    return main(words)


def _mteb(words: list[str]) -> int:
    sys.argv = ["mteb", *words]
    from mteb.cli.build_cli import main

    main()
    return 0


def _python(words: list[str]) -> int:
    from mteb_hybrid.registry import register

    register()  # a fresh process would have done so as mteb was imported
    exec(compile(words[0], "<test>", "exec"), {"__name__": "__main__"})
    return 0


MAINS = {"mteb-hybrid": _mteb_hybrid, "mteb": _mteb, "python": _python}


def _run(request: dict[str, Any]) -> None:
    """In a fork: never returns."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(f"{request['out']}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    os.chdir(request["folder"])
    os.environ.update(request["env"])
    code = 1
    try:
        code = _code(request)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _code(request: dict[str, Any]) -> int:
    """Run a command as the interpreter would: its hook may still ask for an exit."""
    try:
        try:
            return MAINS[request["main"]](request["words"])
        except Exception:
            sys.excepthook(*sys.exc_info())
            return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1


def _serve() -> None:
    import mteb
    import sentence_transformers
    import torch

    import mteb_hybrid.publishing.publish
    import mteb_hybrid.tasks

    assert all((mteb, sentence_transformers, mteb_hybrid.publishing.publish, mteb_hybrid.tasks))
    torch.set_num_threads(1)
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _run(request)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _serve()
