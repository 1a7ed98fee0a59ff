"""Found first by each Python under `forkhound run --redirect-python=METHOD`.

multiprocessing starts its processes by METHOD where the program chooses none itself. Then this file gives way to
the sitecustomize that Python would have found. Where Python is not CPython 3.8 to 3.15, or METHOD is its own
default, it does only that: so it is written to be read by Python 2, too.
"""

import os
import sys

# METHOD:DIRECTORY, where DIRECTORY has this file.
METHOD = os.environ.get("FORKHOUND_REDIRECT_PYTHON", "").partition(":")[0]
OWN_METHOD = "fork" if sys.version_info < (3, 14) else "forkserver"
# What a program must heed by METHOD and need not otherwise: forkserver asks as much of it as spawn.
EXPLAINS = OWN_METHOD == "fork"
# In what multiprocessing tells a new process.
MARK = "forkhound_redirected"

PICKLING = (
    "forkhound: --redirect-python=" + METHOD + " makes multiprocessing pickle what a process runs and its arguments:\n"
    "forkhound: define them at the top level of a module, pass no locks or open files, or run without the option"
)
IMPORTING = (
    "forkhound: --redirect-python=" + METHOD + " makes each new process import the main module, which must be a file\n"
    "forkhound: and start processes under `if __name__ == \"__main__\":` only; or run without the option"
)


def write_note(text, always=False):
    """An event of forkhound's log, if there is one. `always`: is told without -v, too."""
    from time import time_ns

    try:
        from _json import encode_basestring_ascii

        exe = os.fsencode(os.readlink("/proc/self/exe")).decode("utf-8", "backslashreplace")
        event = '{"v":1,"event":"note","time_ns":%d,"pid":%d,"exe":%s,"text":"process %d %s"%s}\n' % (
            time_ns(), os.getpid(), encode_basestring_ascii(exe), os.getpid(), text, ',"always":true' if always else "")
        log = os.open(os.environ["FORKHOUND_EVENTS"], os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
        try:
            os.write(log, event.encode())
        finally:
            os.close(log)
    except (ImportError, KeyError, OSError):
        pass


def show_notes_too(excepthook):
    """What sys.excepthook is from Python 3.11 on."""

    def show(kind, error, trace):
        excepthook(kind, error, trace)
        if sys.version_info < (3, 11) and sys.stderr:
            sys.stderr.write("".join(note + "\n" for note in getattr(error, "__notes__", ())))

    return show


def add_note(error, note):
    error.__notes__ = getattr(error, "__notes__", []) + [note]


def explain_pickling(error, frame):
    """`error`: what is being handled when `frame` has tried to pickle an object, or None."""
    trace = error.__traceback__ if isinstance(error, Exception) else None
    if trace is None or trace.tb_frame is not frame:
        return
    add_note(error, PICKLING)
    if sys.version_info < (3, 11) and getattr(sys.excepthook, "__name__", "") != "show":
        sys.excepthook = show_notes_too(sys.excepthook)


def is_redirected(default):
    """`default`: multiprocessing's DefaultContext. The program has chosen none, and has used ours."""
    return default._actual_context is default._default_context


def set_default(context):
    """Of the module multiprocessing.context."""
    default = context._default_context
    set_spawning_popen = context.set_spawning_popen
    noted = []

    # Called before and, in a `finally`, after an object is pickled: so no frame of ours stands in a traceback.
    def watch_pickling(popen):
        set_spawning_popen(popen)
        if not is_redirected(default):
            return
        if popen is None:
            if EXPLAINS:
                explain_pickling(sys.exc_info()[1], sys._getframe(1))
        elif not noted:
            noted.append(True)
            write_note("starts its multiprocessing processes by " + METHOD)

    # A context of its own: not the one of a program that chooses METHOD.
    default._default_context = type(context._concrete_contexts[METHOD])()
    context.set_spawning_popen = watch_pickling


def tell_of_forks(popen_fork):
    """Of the module multiprocessing.popen_fork: a program that has chosen fork itself keeps it."""
    util, noted = popen_fork.util, []

    class Util:
        """multiprocessing.util, as that module alone sees it: no frame of ours stands in a fork's stack."""

        def __getattr__(self, name):
            return getattr(util, name)

        # Called before each start.
        def _flush_std_streams(self):
            util._flush_std_streams()
            if not noted and type(sys._getframe(1).f_locals.get("self")) is popen_fork.Popen:
                noted.append(True)
                write_note("starts its multiprocessing processes by fork, as it chose itself: "
                           "--redirect-python=" + METHOD + " leaves that", always=True)

    popen_fork.util = Util()


def explain_failed_start(spawn):
    """Of the module multiprocessing.spawn: a new process that cannot import the main module, or unpickle."""
    get_start_method, set_start_method = spawn.get_start_method, spawn.set_start_method
    default = set_start_method.__self__

    # Both stand in no traceback, as a function around those that call them would.
    # Called while it is put together what a new process is told.
    def mark(allow_none=False):
        told = sys._getframe(1).f_locals.get("d")
        if is_redirected(default) and isinstance(told, dict):
            told[MARK] = True
        return get_start_method(allow_none)

    # Called in a new process, before it imports the main module.
    def adopt(method, force=False):
        set_start_method(method, force)
        if MARK not in (sys._getframe(1).f_locals.get("data") or ()):
            return
        default._actual_context = default._default_context
        excepthook = show_notes_too(sys.excepthook)

        def explain(kind, error, trace):
            frame = trace
            while frame and frame.tb_frame.f_code is not spawn._main.__code__:
                frame = frame.tb_next
            if frame:
                add_note(error, IMPORTING)
            excepthook(kind, error, trace)

        sys.excepthook = explain

    spawn.get_start_method, spawn.set_start_method = mark, adopt


def adapt(module):
    """Leaves as it is what is not CPython's own, or runs in a program that cannot be started as a Python."""
    function = ADAPTED[module.__name__]
    if os.path.basename(sys.executable or "").startswith("python") and not hasattr(sys, "frozen"):
        try:
            function(module)
        except (AttributeError, KeyError):
            pass


class Loader:
    """Loads a module as `loader` does, and adapts it."""

    def __init__(self, loader):
        self.loader = loader

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        adapt(module)


class Finder:
    """Of the modules to adapt: a program that does not import them pays for a look-up."""

    def __init__(self):
        self.names = set(ADAPTED)

    def find_spec(self, name, path=None, target=None):
        if name not in self.names:
            return None
        from importlib.util import find_spec

        self.names.remove(name)  # the others are asked
        try:
            spec = find_spec(name)
        finally:
            self.names.add(name)
        if spec and hasattr(spec.loader, "exec_module"):
            spec.loader = Loader(spec.loader)
        return spec


ADAPTED = {"multiprocessing.context": set_default, "multiprocessing.popen_fork": tell_of_forks}
if EXPLAINS:
    ADAPTED["multiprocessing.spawn"] = explain_failed_start


def start():
    if not (3, 8) <= sys.version_info[:2] <= (3, 15) or sys.implementation.name != "cpython":
        return
    # A .pth file may have imported them.
    for name in ADAPTED:
        if name in sys.modules:
            adapt(sys.modules[name])
    sys.meta_path.insert(0, Finder())


def leave():
    """All is as it was without us, but for the program's own sitecustomize, which is imported next."""
    directory = os.path.dirname(__file__)
    sys.path[:] = [entry for entry in sys.path if entry != directory]
    sys.path_importer_cache.pop(directory, None)
    del sys.modules["sitecustomize"]


if METHOD in ("spawn", "forkserver") and METHOD != OWN_METHOD:
    start()
leave()
# Where there is none, `site` expects the ImportError.
import sitecustomize
