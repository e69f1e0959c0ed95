"""Registers the plugin as soon as a process has imported ``mteb``, and costs the others next to nothing.

At the start of every process of the environment, ``mteb_hybrid.pth`` puts a small function on
``sys.meta_path``, which imports this module when ``mteb`` (or the plugin's registry) is looked for, and
not before. From Python 3.15 on, ``mteb_hybrid.start`` has :func:`install` called at start-up instead:
hence no ``typing`` and no ``__future__`` here, nothing but what the interpreter has loaded already.

A finder that finds nothing itself then stays in place: for the few modules waited for it asks the
finders after it and lets the loader they name call us back once the module has executed. Everything
else passes it by at the price of one dictionary look-up.

How a loader is made to call back: its instance is given an ``exec_module`` of its own, which takes
itself off again when it is used. A delegating loader in its place would be seen by all who look at
``module.__spec__.loader`` (``inspect``, ``pkgutil``, ``importlib.resources``, whoever asks for its type);
this way they meet the genuine one, and after the import no trace is left.
"""

import os
import sys
from _thread import get_ident

TYPE_CHECKING = False  # as in typing, which a bare interpreter has not loaded
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Callback = Callable[[ModuleType], object]

MTEB = "mteb"
REGISTRY = "mteb_hybrid.registry"
SWITCH = "MTEB_HYBRID_AUTOLOAD"

last_failure: "str | None" = None
"""Why the first registration that failed in this process did so; None if none has failed."""

_callbacks: "dict[str, list[Callback]]" = {}
_busy: "set[str]" = set()  # modules waited for that are executing, or whose callbacks are being called


def watch() -> None:
    """Register the plugin once ``mteb`` has been imported, at once if it has; idempotent.

    Importing the package calls this, by hand as well as from the ``.pth`` file, which asks the switch first.
    """
    after_import(REGISTRY, _registry_executed)
    after_import(MTEB, _mteb_executed)


def install() -> None:
    """What ``mteb_hybrid.start`` calls: watch, or take back what importing the package began."""
    if switched_off():
        _callbacks.clear()
    else:
        watch()


def find_spec(
    name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
) -> "ModuleSpec | None":
    """Answer for the function of the ``.pth`` file, too late to be asked itself: watch, then find."""
    watch()
    return _finder.find_spec(name, path, target)


def after_import(name: str, callback: "Callback") -> None:
    """Call ``callback(module)`` now if module ``name`` is imported, and whenever it has executed later.

    Asking twice for the same callback counts once. What a callback raises is told on stderr and
    kept in :data:`last_failure`; it never reaches the code that imports the module.
    """
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    callbacks = _callbacks.setdefault(name, [])
    if callback in callbacks:
        return
    callbacks.append(callback)
    module = sys.modules.get(name)
    if module is None or name in _busy:  # if busy, those in the list are called when it has executed
        return
    _busy.add(name)
    try:
        _call_back(module, [callback])
    finally:
        _busy.discard(name)


def switched_off() -> bool:
    """Whether the environment says that nothing is to be registered at start-up."""
    return os.environ.get(SWITCH, "").strip().lower() in {"0", "false", "no", "off"}


# Registration needs both mteb and the registry executed, and either may be imported first, since the
# registry itself imports mteb: whichever is the last to be ready registers.


def _mteb_executed(_mteb: "ModuleType") -> None:
    """Import the registry and register, unless it is the registry that is importing mteb."""
    __import__(REGISTRY)
    if REGISTRY not in _busy:
        sys.modules[REGISTRY].register()


def _registry_executed(registry: "ModuleType") -> None:
    """Register, unless mteb is yet to be imported or is about to register by itself."""
    if sys.modules.get(MTEB) is not None and MTEB not in _busy:
        registry.register()


class _Finder:
    """Finds what the finders after it find, and watches the loaders of the modules waited for."""

    def __init__(self) -> None:
        self._searching: set[tuple[str, int]] = set()

    def find_spec(
        self, fullname: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Return the spec that the finders after this one give, its loader watched; else None."""
        if fullname not in _callbacks:
            return None
        # A finder of the same kind after us may search all of sys.meta_path, and so come back here.
        search = (fullname, get_ident())
        if search in self._searching:
            return None
        self._searching.add(search)
        try:
            spec = self._ask_the_next(fullname, path, target)
        finally:
            self._searching.discard(search)
        if spec is not None and spec.loader is not None:
            _watch(spec.loader)
        return spec

    def _ask_the_next(
        self, fullname: str, path: "Sequence[str] | None", target: "ModuleType | None"
    ) -> "ModuleSpec | None":
        finders = list(sys.meta_path)
        start = finders.index(self) + 1 if self in finders else 0
        for finder in finders[start:]:
            find_spec = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find_spec(fullname, path, target) if find_spec else None
            if spec is not None:
                return spec
        return None


_finder = _Finder()


class _ExecThenCallBack:
    """What a watched loader has for ``exec_module``, until it is used."""

    def __init__(self, loader: "Loader") -> None:
        self._loader = loader
        self._exec_module = loader.exec_module

    def __call__(self, module: "ModuleType") -> None:
        """Execute the module as its loader does, then call those who wait for it."""
        try:
            del self._loader.exec_module
        except AttributeError:  # another thread was faster, with a loader of several modules
            pass
        name = module.__name__
        if name not in _callbacks or sys.modules.get(name) is not module:
            self._exec_module(module)  # a copy made aside, or another module of the same loader
            return
        _busy.add(name)
        try:
            self._exec_module(module)
            _call_back(module, _callbacks[name])
        finally:
            _busy.discard(name)


def _watch(loader: "Loader") -> None:
    """Have a loader call back; one that cannot (load_module only, built-in, slots) is left alone."""
    if isinstance(loader, type) or not hasattr(loader, "exec_module"):
        return
    if isinstance(loader.exec_module, _ExecThenCallBack):
        return  # a find_spec before, whose spec nobody executed
    try:
        loader.exec_module = _ExecThenCallBack(loader)  # type: ignore[method-assign]
    except (AttributeError, TypeError):
        pass


def _call_back(module: "ModuleType", callbacks: "list[Callback]") -> None:
    """Call each callback, also those that the earlier ones append."""
    for callback in callbacks:
        try:
            callback(module)
        except Exception as error:
            _tell(error)


def _tell(error: Exception) -> None:
    """Keep why the registration failed and say so in one line, the first time."""
    global last_failure
    if last_failure is not None:
        return
    last_failure = _reason(error)
    try:
        sys.stderr.write(
            f"mteb-hybrid: could not register its tasks: {last_failure}; "
            f"run `mteb-hybrid doctor`; {SWITCH}=0 switches this off\n"
        )
    except Exception:  # stderr is None or closed: the doctor still has the reason
        pass


def _reason(error: Exception) -> str:
    """Return the error on one line; never raises, be the package half removed."""
    try:
        from mteb_hybrid.errors import HybridError, one_line

        return one_line(error if isinstance(error, HybridError) else f"{type(error).__name__}: {error}")
    except Exception:
        return type(error).__name__
