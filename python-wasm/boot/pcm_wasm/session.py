"""The session of the snapshot: common modules imported, the evaluator ready and warm."""

import gc
import sys
from types import SimpleNamespace

import _pcm_host
from pcm_guest import Guest, compiling, interpreter, rehearsal
from pcm_guest.port import OutputLimitError

__all__ = ["OutputLimitError", "guest", "run"]

rehearsal.import_common_modules()
compiling.compile_parts = _pcm_host.compile_parts
interpreter.changes_of = _pcm_host.changes_of
_port = SimpleNamespace()
rehearsal.use(_port, rehearsal.RehearsalHost())
guest = Guest(_port)
guest.install()
guest.install_network()
rehearsal.rehearse(guest)
rehearsal.use(_port, _pcm_host)
run = guest.run
# Last: that a folder is missing would be remembered in the snapshot, and believed in every session.
sys.path[:] = rehearsal.FOLDERS
gc.collect()
gc.freeze()
