"""A thread that waits in code of a subinterpreter.

truth: the thread's innermost function is deep(), of the subinterpreter; outside of that are those
of the main one, with enter(). Without subinterpreters the status is 77.
"""

import os
import sys
import threading

try:
    import _interpreters as interpreters
except ImportError:
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        sys.exit(77)

ready, tell = os.pipe()
never, _ = os.pipe()
SCRIPT = f"""
import os
def deep():
    os.write({tell}, b"x")
    os.read({never}, 1)
deep()
"""


def enter():
    interpreter = interpreters.create()
    run = getattr(interpreters, "run_string", None) or interpreters.exec
    run(interpreter, SCRIPT)


threading.Thread(target=enter, daemon=True).start()
os.read(ready, 1)
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
os._exit(0)
