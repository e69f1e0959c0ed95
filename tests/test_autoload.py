"""The start-up hook, in fresh processes: mostly with a small stand-in for mteb, once with the real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parent.parent
STARTUP_LINE = ROOT / "mteb_hybrid.pth"

# How a process starts: as the interpreter does with the .pth line, and as Python 3.15 does with .start.
STARTS = {
    "pth": f"exec(open({str(STARTUP_LINE)!r}).read())",
    "start": "import mteb_hybrid._autoload; mteb_hybrid._autoload.install()",
}

REGISTRY = """
    import mteb

    calls = 0

    def register():
        global calls
        calls += 1
        assert mteb.done, "mteb has not executed"
"""

FILES = {
    "mteb/__init__.py": "done = False\nfrom mteb import abstasks\ndone = True\n",
    "mteb/__main__.py": "import mteb_hybrid.registry\nprint('registered', mteb_hybrid.registry.calls)\n",
    "mteb/abstasks.py": "",
    "mteb/note.txt": "a resource",
    "mteb/benchmarks/__init__.py": "",
    "mteb/benchmarks/benchmarks.py": "names = ['theirs']\n",
    "mteb_hybrid/__init__.py": "",
    "mteb_hybrid/registry.py": dedent(REGISTRY),
}

Process = subprocess.CompletedProcess[str]
Run = Callable[..., Process]


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files, their folders too; texts may be indented."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text), encoding="utf-8")


def python(code: str, *flags: str, env: dict[str, str] | None = None) -> Process:
    """Run code in a fresh interpreter, which must end well."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MTEB", "COV"))}
    command = [sys.executable, *flags, "-c", code]
    process = subprocess.run(
        command, env={**clean, **(env or {})}, capture_output=True, text=True, timeout=120, check=False
    )
    assert process.returncode == 0, process.stderr
    return process


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Return a folder with a stand-in mteb, and a mteb_hybrid of the true hook and a stub registry."""
    write(tmp_path, FILES)
    for name in ("_autoload.py", "errors.py"):
        shutil.copy(ROOT / "mteb_hybrid" / name, tmp_path / "mteb_hybrid")
    return tmp_path


@pytest.fixture(params=sorted(STARTS))
def run(request: pytest.FixtureRequest, world: Path) -> Run:
    """Return what runs code in the stand-in world, after start-up."""

    def run(code: str, *flags: str, env: dict[str, str] | None = None) -> Process:
        start = f"import sys; sys.path.insert(0, {str(world)!r})\n{STARTS[request.param]}\n"
        return python(start + dedent(code), *flags, env=env)

    return run


@pytest.mark.parametrize(
    "code",
    [
        "import mteb",
        "import mteb, mteb, mteb_hybrid.registry",
        "import mteb_hybrid.registry",
        "import mteb_hybrid, mteb",
        "import mteb.abstasks",
        "from mteb.benchmarks import benchmarks",
        "import runpy; runpy.run_module('mteb')",
        "import importlib.util as u; assert u.find_spec('mteb'); assert u.find_spec('mteb'); import mteb",
        "import mteb; import mteb_hybrid._autoload as a; a.install(); a.install()",
    ],
)
def test_registers_once_whatever_is_imported_first(run: Run, code: str) -> None:
    process = run(f"{code}\nimport sys; assert sys.modules['mteb_hybrid.registry'].calls == 1")
    assert process.stderr == ""


@pytest.mark.parametrize("flags", [["-I"], ["-E"], ["-S"], ["-O"], ["-B"], ["-W", "error"]])
def test_registers_under_interpreter_flags(run: Run, flags: list[str]) -> None:
    run("import mteb; assert sys.modules['mteb_hybrid.registry'].calls == 1", *flags)


def test_does_nothing_without_mteb(run: Run) -> None:
    run(
        """
        import importlib.util
        assert importlib.util.find_spec("mteb")
        import json, email.message
        loaded = {name for name in sys.modules if name.split(".")[0] in {"mteb", "mteb_hybrid"}}
        assert loaded <= {"mteb_hybrid", "mteb_hybrid._autoload"}, loaded
        """
    )


def test_the_pth_line_loads_nothing_at_all(world: Path) -> None:
    start = f"import sys; sys.path.insert(0, {str(world)!r}); before = set(sys.modules)\n{STARTS['pth']}\n"
    python(start + "assert set(sys.modules) == before, set(sys.modules) - before", "-I", "-S")


def test_the_pth_line_read_twice_counts_once(world: Path) -> None:
    """In a virtual environment the interpreter reads it twice."""
    start = f"import sys; sys.path.insert(0, {str(world)!r})\n{STARTS['pth']}\nonce = len(sys.meta_path)\n"
    python(f"{start}{STARTS['pth']}\nassert len(sys.meta_path) == once")


def test_the_hook_loads_only_itself(world: Path) -> None:
    """What a bare interpreter has not loaded would be paid for by every process."""
    code = f"""
        import sys; sys.path.insert(0, {str(world)!r}); before = set(sys.modules)
        {STARTS["start"]}
        new = set(sys.modules) - before
        assert new == {{"mteb_hybrid", "mteb_hybrid._autoload"}}, new
    """
    python(dedent(code))


@pytest.mark.parametrize("value", ["0", "off", "False", " no "])
def test_off_switch_at_start(run: Run, value: str) -> None:
    code = """
        import mteb, mteb_hybrid._autoload
        assert "mteb_hybrid.registry" not in sys.modules
        assert mteb_hybrid._autoload._finder not in sys.meta_path
    """
    run(code, env={"MTEB_HYBRID_AUTOLOAD": value})


def test_off_switch_set_by_the_script(world: Path) -> None:
    """The line of the .pth file asks when mteb is looked for; what the .start file calls asks at start-up."""
    code = f"""
        import sys; sys.path.insert(0, {str(world)!r})
        {STARTS["pth"]}
        import os; os.environ["MTEB_HYBRID_AUTOLOAD"] = "0"
        import mteb; assert "mteb_hybrid.registry" not in sys.modules
    """
    python(dedent(code))


@pytest.mark.parametrize("value", ["0", "1"])
def test_importing_the_package_registers_by_hand(world: Path, value: str) -> None:
    """Whatever the switch says, and whichever of the two is imported first."""
    write(world, {"mteb_hybrid/__init__.py": (ROOT / "mteb_hybrid" / "__init__.py").read_text()})
    for order in ("import mteb_hybrid, mteb", "import mteb, mteb_hybrid"):
        code = f"import sys; sys.path.insert(0, {str(world)!r}); {order}; import mteb_hybrid.registry as r"
        process = python(f"{code}; assert r.calls == 1, r.calls", env={"MTEB_HYBRID_AUTOLOAD": value})
        assert not process.stderr


def test_other_values_of_the_switch_leave_it_on(run: Run) -> None:
    code = "import mteb; assert sys.modules['mteb_hybrid.registry'].calls == 1"
    run(code, env={"MTEB_HYBRID_AUTOLOAD": "1"})


def test_a_registry_that_imports_mteb_late(run: Run, world: Path) -> None:
    late = "calls = 0\ndef register():\n    global calls\n    import mteb\n    calls += mteb.done\n"
    write(world, {"mteb_hybrid/registry.py": late})
    run(
        """
        import mteb_hybrid.registry
        assert mteb_hybrid.registry.calls == 0 and "mteb" not in sys.modules
        import mteb
        assert mteb_hybrid.registry.calls == 1
        """
    )


TOLD = (
    "mteb-hybrid: could not register its tasks: {}; "
    "run `mteb-hybrid doctor`; MTEB_HYBRID_AUTOLOAD=0 switches this off\n"
)


@pytest.mark.parametrize(
    ("registry", "reason"),
    [
        ("def register():\n    raise ValueError('two\\nlines')\n", "ValueError: two lines"),
        ("import mteb\nraise OSError('no room')\n", "OSError: no room"),
        ("def register(:\n", "SyntaxError: "),
        ("", "AttributeError: module 'mteb_hybrid.registry' has no attribute 'register'"),
        (
            "from mteb_hybrid.errors import HybridError\ndef register():\n    raise HybridError('do that')\n",
            "do that",
        ),
    ],
)
def test_a_failure_is_told_once_and_breaks_nothing(run: Run, world: Path, registry: str, reason: str) -> None:
    write(world, {"mteb_hybrid/registry.py": registry})
    process = run(
        """
        import importlib, mteb
        from mteb_hybrid import _autoload
        assert mteb.done
        importlib.reload(mteb)
        print(_autoload.last_failure)
        """
    )
    kept = process.stdout.rstrip("\n")
    assert kept.startswith(reason)
    assert process.stderr == TOLD.format(kept)


@pytest.mark.parametrize("stderr", ["None", "open(__import__('os').devnull)"])
def test_a_failure_without_stderr(run: Run, world: Path, stderr: str) -> None:
    write(world, {"mteb_hybrid/registry.py": "1 / 0"})
    process = run(
        f"""
        sys.stderr = {stderr}
        import mteb, mteb_hybrid._autoload
        assert mteb_hybrid._autoload.last_failure == "ZeroDivisionError: division by zero"
        """
    )
    assert process.stdout == ""


@pytest.mark.parametrize("missing", ["errors.py", "registry.py", "_autoload.py", "__init__.py", ""])
def test_a_package_half_removed_breaks_nothing(world: Path, missing: str) -> None:
    """Removed before the process starts, so that only the .pth file matters."""
    write(world, {"mteb_hybrid/registry.py": "1 / 0"})
    gone = world / "mteb_hybrid" / missing
    if missing:
        gone.unlink()
    else:
        shutil.rmtree(gone)
    start = f"import sys; sys.path.insert(0, {str(world)!r})\n{STARTS['pth']}\n"
    python(start + "import mteb; assert mteb.done")


def test_an_interrupt_is_not_held_back(run: Run, world: Path) -> None:
    write(world, {"mteb_hybrid/registry.py": "def register():\n    raise KeyboardInterrupt\n"})
    run(
        """
        try:
            import mteb
        except KeyboardInterrupt:
            print("interrupted")
        """
    ).stdout.index("interrupted")


def test_a_failed_import_of_mteb_is_left_as_it_is(run: Run, world: Path) -> None:
    write(world, {"mteb/__init__.py": "import os\ndone = 'NOW' in os.environ\nassert done, 'not yet'\n"})
    run(
        """
        import os
        try:
            import mteb
        except AssertionError as error:
            assert str(error) == "not yet"
        assert "mteb" not in sys.modules and "mteb_hybrid.registry" not in sys.modules
        os.environ["NOW"] = "1"
        import mteb
        assert sys.modules["mteb_hybrid.registry"].calls == 1
        """
    )


def test_reload_registers_again(run: Run) -> None:
    run(
        """
        import importlib, mteb
        for calls in (2, 3):
            assert importlib.reload(mteb) is mteb
            assert sys.modules["mteb_hybrid.registry"].calls == calls
        """
    )


def test_mteb_removed_and_imported_anew(run: Run) -> None:
    run(
        """
        import mteb
        for name in [name for name in sys.modules if name.split(".")[0] == "mteb"]:
            del sys.modules[name]
        import mteb
        assert sys.modules["mteb_hybrid.registry"].calls == 2
        """
    )


def test_import_in_a_thread(run: Run) -> None:
    run(
        """
        import threading
        thread = threading.Thread(target=__import__, args=("mteb",))
        thread.start(); thread.join()
        assert sys.modules["mteb_hybrid.registry"].calls == 1
        """
    )


@pytest.mark.parametrize("head_start", [0.0, 0.03])
@pytest.mark.parametrize("first", ["mteb", "mteb_hybrid.registry"])
def test_import_in_several_threads_from_both_ends(run: Run, world: Path, first: str, head_start: float) -> None:
    """One thread holds mteb and needs the registry, the other the reverse; nobody waits for ever."""
    slow = "import time\ntime.sleep(0.06)\n"
    mteb = FILES["mteb/__init__.py"].replace("done = True", f"{slow}done = True")
    write(world, {"mteb/__init__.py": mteb, "mteb_hybrid/registry.py": slow + dedent(REGISTRY)})
    process = run(
        f"""
        import threading, time
        names = ["mteb", "mteb_hybrid.registry"]
        names.sort(key=lambda name: name != {first!r})
        threads = [threading.Thread(target=__import__, args=(name,)) for name in names * 2]
        for thread in threads:
            thread.start()
            time.sleep({head_start})
        for thread in threads:
            thread.join()
        assert sys.modules["mteb_hybrid.registry"].calls == 1
        """
    )
    assert process.stderr == ""


def test_nobody_sees_another_loader(run: Run) -> None:
    run(
        """
        import importlib.machinery, importlib.resources, inspect, pkgutil, mteb
        loader = mteb.__spec__.loader
        assert type(loader) is importlib.machinery.SourceFileLoader and loader is mteb.__loader__
        assert "exec_module" not in vars(loader)
        assert "done = True" in inspect.getsource(mteb)
        assert importlib.resources.files("mteb").joinpath("note.txt").read_text() == "a resource"
        assert pkgutil.get_data("mteb", "note.txt") == b"a resource"
        assert sys.modules["mteb_hybrid.registry"].calls == 1
        """
    )


def test_a_copy_executed_aside_is_not_registered(run: Run) -> None:
    run(
        """
        import importlib.util, mteb
        spec = sys.meta_path[0].find_spec("mteb")
        assert "exec_module" in vars(spec.loader)
        copy = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(copy)
        assert copy.done and copy is not mteb
        assert sys.modules["mteb_hybrid.registry"].calls == 1
        """
    )


def test_lazy_loader(run: Run) -> None:
    run(
        """
        import importlib.util
        spec = importlib.util.find_spec("mteb")
        spec.loader = importlib.util.LazyLoader(spec.loader)
        mteb = sys.modules["mteb"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(mteb)
        assert "mteb_hybrid.registry" not in sys.modules
        assert mteb.done
        assert sys.modules["mteb_hybrid.registry"].calls == 1
        """
    )


def test_a_loader_without_exec_module_is_left_alone(run: Run) -> None:
    run(
        """
        import importlib.machinery, types

        class Old:
            def load_module(self, name):
                sys.modules[name] = module = types.ModuleType(name)
                module.__loader__, module.done = self, "by load_module"
                return module

        class Finder:
            def find_spec(name, path=None, target=None):
                if name == "mteb":
                    return importlib.machinery.ModuleSpec(name, old)

        old = Old()
        sys.meta_path.insert(1, Finder)
        from importlib.util import find_spec
        assert find_spec("mteb").loader is old and vars(old) == {}
        if sys.version_info < (3, 15):
            import mteb
            assert mteb.done == "by load_module"
        """
    )


@pytest.mark.parametrize("loader", ["Loader", "Loader()"])
def test_a_loader_that_takes_no_attribute_is_left_alone(run: Run, loader: str) -> None:
    """A class is the loader of all its modules, as for built-in ones; an instance may have slots."""
    run(
        f"""
        import importlib.machinery

        class Loader:
            __slots__ = ()
            create_module = staticmethod(lambda spec: None)
            exec_module = staticmethod(lambda module: setattr(module, "done", "elsewhere"))

        class Finder:
            def find_spec(name, path=None, target=None):
                if name == "mteb":
                    return importlib.machinery.ModuleSpec(name, {loader})

        own = Loader.exec_module
        sys.meta_path.insert(1, Finder)
        import mteb
        assert mteb.done == "elsewhere" and Loader.exec_module is own
        assert "mteb_hybrid.registry" not in sys.modules
        """
    )


def test_a_loader_of_several_modules(run: Run, world: Path) -> None:
    """All modules of a zip archive share one loader: none but those waited for may be watched."""
    with ZipFile(world / "all.zip", "w") as archive:
        for file in sorted(world.glob("mteb/**/*.py")):
            archive.write(file, file.relative_to(world))
        archive.writestr("other.py", "answer = 42")
    shutil.rmtree(world / "mteb")
    run(
        f"""
        import importlib.util
        sys.path.insert(0, {str(world / "all.zip")!r})
        assert importlib.util.find_spec("mteb")
        import other
        assert other.answer == 42 and "mteb_hybrid.registry" not in sys.modules
        assert importlib.util.find_spec("mteb") and importlib.util.find_spec("mteb")
        import mteb
        assert "all.zip" in mteb.__file__ and "exec_module" not in vars(mteb.__loader__)
        assert sys.modules["mteb_hybrid.registry"].calls == 1
        """
    )


@pytest.mark.parametrize("place", ["0", "1", "len(sys.meta_path)"])
def test_beside_another_hook_that_searches_everywhere(run: Run, place: str) -> None:
    """Other post-import hooks call importlib.util.find_spec, and put a loader around what they find."""
    run(
        f"""
        import importlib.util

        class Chained:
            def __init__(self, loader): self.loader = loader
            def create_module(self, spec): return self.loader.create_module(spec)
            def exec_module(self, module): self.loader.exec_module(module); executed.append(module)

        class Finder:
            searching = False
            def find_spec(name, path=None, target=None):
                if name != "mteb" or Finder.searching:
                    return None
                Finder.searching = True
                spec = importlib.util.find_spec(name)
                Finder.searching = False
                spec.loader = Chained(spec.loader)
                return spec

        executed = []
        sys.meta_path.insert({place}, Finder)
        import mteb
        assert executed == [mteb] * ({place} < 2)  # behind the finder of files it is not asked
        assert sys.modules["mteb_hybrid.registry"].calls == 1
        """
    )


def test_after_import_waits_for_a_module(run: Run) -> None:
    process = run(
        """
        import importlib, mteb
        from mteb_hybrid import _autoload
        seen = []
        def add(module):
            module.names.append("ours"); seen.append(module)
        for _ in range(2):
            _autoload.after_import("mteb.benchmarks.benchmarks", add)
        assert "mteb.benchmarks" not in sys.modules
        from mteb.benchmarks import benchmarks
        assert seen == [benchmarks] and benchmarks.names == ["theirs", "ours"]
        importlib.reload(benchmarks)
        assert seen == [benchmarks] * 2 and benchmarks.names == ["theirs", "ours"]
        """
    )
    assert process.stderr == ""


def test_after_import_of_a_module_already_there(run: Run) -> None:
    run(
        """
        from mteb.benchmarks import benchmarks
        from mteb_hybrid import _autoload
        seen = []
        _autoload.after_import("mteb.benchmarks.benchmarks", seen.append)
        _autoload.after_import("mteb.benchmarks.benchmarks", seen.append)
        assert seen[0] is benchmarks
        """
    )


def test_after_import_asked_for_while_it_executes(run: Run, world: Path) -> None:
    write(
        world,
        {
            "mteb/benchmarks/benchmarks.py": """
                from mteb_hybrid import _autoload
                from mteb import order
                _autoload.after_import(__name__, lambda module: order.append(module.last))
                last = "executed"
            """,
            "mteb/__init__.py": "done, order = True, []\n",
        },
    )
    run(
        """
        from mteb_hybrid import _autoload
        def first(module):
            _autoload.after_import(module.__name__, lambda module: module.order.append("appended"))
        _autoload.after_import("mteb.benchmarks.benchmarks", first)
        import mteb.benchmarks.benchmarks
        assert mteb.order == ["executed", "appended"], mteb.order
        """
    )


def test_errors_in_after_import_are_told_and_the_next_is_called(run: Run) -> None:
    process = run(
        """
        from mteb_hybrid import _autoload
        seen = []
        _autoload.after_import("mteb.benchmarks.benchmarks", lambda module: {}["missing"])
        _autoload.after_import("mteb.benchmarks.benchmarks", seen.append)
        from mteb.benchmarks import benchmarks
        assert seen == [benchmarks] and "missing" in _autoload.last_failure
        """
    )
    assert process.stderr == TOLD.format("KeyError: 'missing'")


def test_after_import_works_switched_off(run: Run) -> None:
    """Who registers by hand still gets the benchmarks."""
    run(
        """
        from mteb_hybrid import _autoload
        seen = []
        _autoload.after_import("mteb.benchmarks.benchmarks", seen.append)
        from mteb.benchmarks import benchmarks
        assert seen == [benchmarks] and "mteb_hybrid.registry" not in sys.modules
        """,
        env={"MTEB_HYBRID_AUTOLOAD": "0"},
    )


@pytest.mark.slow
def test_with_the_real_mteb() -> None:
    """The real registry, registered by the real import; all in one process, which takes seconds."""
    process = python(
        dedent(
            f"""
            import sys; sys.path.insert(0, {str(ROOT)!r})
            {STARTS["pth"]}
            assert not [name for name in sys.modules if name.startswith(("mteb", "torch"))]
            import importlib.machinery, importlib.resources, inspect, mteb
            from mteb_hybrid import _autoload
            assert _autoload.last_failure is None, _autoload.last_failure
            assert "mteb_hybrid.registry" in sys.modules
            assert "mteb.benchmarks.benchmarks" not in sys.modules, "imported early, which costs a second"
            assert type(mteb.__spec__.loader) is importlib.machinery.SourceFileLoader
            assert "__all__" in inspect.getsource(mteb)
            assert importlib.resources.files("mteb").joinpath("__init__.py").is_file()
            """
        )
    )
    assert "mteb-hybrid" not in process.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    ["mteb_hybrid.tasks", "mteb_hybrid.evaluation.declare", "mteb_hybrid.evaluation.task", "mteb_hybrid.doctor"],
)
def test_whichever_module_is_imported_first(first: str) -> None:
    """Each imports mteb, whose hook then registers in the middle of the import."""
    code = f"""
        import sys; sys.path.insert(0, {str(ROOT)!r})
        {STARTS["pth"]}
        import importlib; importlib.import_module({first!r})
        import mteb; mteb.get_task("XQuADR"); mteb.get_model_meta("mteb-hybrid/tiny")
    """
    assert "mteb-hybrid:" not in python(dedent(code)).stderr
