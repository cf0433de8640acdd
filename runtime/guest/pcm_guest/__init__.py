"""The evaluator that runs in every sandbox, whatever wall stands around it.

In: a run request (options and source) through `Guest.run`. Out: one JSON outcome, and, while code
runs, everything that the code writes or asks of the host through a `Port`. What lives here is what
must be the same on all backends: the evaluation rule, the four namespaces, the encoding of values,
the trimming of tracebacks.

What must never live here: anything about one backend. A backend brings its own `Port` and nothing
else. And nothing here is a wall: code in the sandbox can reach and replace every object of this
package, so the host trusts none of its bytes.
"""

from pcm_guest.evaluate import Guest
from pcm_guest.port import Port

__all__ = ["Guest", "Port"]
