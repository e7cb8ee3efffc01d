"""Detaching from the process that started us, once it is certain which daemon there is.

The process that was started waits until its child, the daemon, holds the lock, and lets it go on
only if whoever started it still waits. So no daemon appears behind the back of a front that has
gone, and `keyturn daemon stop` may say that none runs when it finds no held lock and nobody
starting one.
"""

import os
import socket
from collections.abc import Callable

Wanted = Callable[[], bool]


def detach(starter: int | None = None) -> Wanted:
    """Return in a child: in a new session, without a controlling terminal, and no zombie.

    The child asks the result, once, when it holds the lock; False: it is not wanted any more.
    `starter` is the process to which that matters, our parent; None: nobody.
    """
    child, parent = socket.socketpair()
    if os.fork():
        child.close()
        if parent.recv(1) and starter in (None, os.getppid()):
            parent.sendall(b"!")
        os._exit(0)
    parent.close()
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)

    def wanted() -> bool:
        with child:
            try:
                child.sendall(b"?")
                return bool(child.recv(1))
            except ConnectionError:
                return False

    return wanted
