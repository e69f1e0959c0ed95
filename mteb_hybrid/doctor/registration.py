"""Whether mteb knows our tasks."""

from __future__ import annotations

from importlib.metadata import version

from mteb_hybrid import _autoload
from mteb_hybrid.doctor.finding import Findings, ok, wrong
from mteb_hybrid.errors import HybridError


def registration() -> Findings:
    """How tasks are registered, and whether all are."""
    from mteb_hybrid import mteb_names, registry, tasks

    how = (
        f"switched off by {_autoload.SWITCH}; `import mteb_hybrid` registers by hand"
        if _autoload.switched_off()
        else "on"
    )
    yield ok(f"registration at start-up: {how}")
    if _autoload.last_failure:
        yield wrong(f"registration failed: {_autoload.last_failure}")
    try:
        registry.register()
        registry.register_named_models()
    except HybridError as error:
        yield wrong(error)
    else:
        if told := mteb_names.name_warning():
            yield wrong(told)
    tested = ".".join(map(str, mteb_names.TESTED))
    found = ".".join(version("mteb").split(".")[:2])
    untested = "" if found == tested else f"; mteb {found} was not tested, {tested} was"
    known = registry.registered_tasks()
    whole = known == tasks.__all__
    text = f"{len(known)} of {len(tasks.__all__)} tasks registered{untested}"
    yield ok(text) if whole else wrong(f"{text}; the lines above say why, or pip install 'mteb=={tested}.*'")
