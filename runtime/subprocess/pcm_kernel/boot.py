"""Started by the host: makes the packages beside it importable, and becomes the kernel."""

import os
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
del sys.argv[2:]
# The socket gets another number, and none of the children: they have no standard input.
host = socket.socket(fileno=os.dup(0))
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

from pcm_kernel.kernel import main  # noqa: E402

main(sys.argv[1], host)
