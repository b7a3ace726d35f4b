"""How gunicorn serves the demo: two processes of four threads, loaded once, gone when their parent is."""

import os
from typing import Any

from kameng.embedded import fair
from kameng.embedded.processes import die_with_parent

workers = 2
threads = 4
worker_class = "kameng.embedded.fair.FairWorker"
preload_app = True
control_socket_disable = True  # else it opens one in the home folder
graceful_timeout = 1
keepalive = 5
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def pre_fork(server: Any, worker: Any) -> None:
    """Arrange here, where the parent's number is known, what the worker does first."""
    worker.end_with_parent = die_with_parent()


def post_fork(server: Any, worker: Any) -> None:
    """A master that is killed leaves no worker behind that keeps the port."""
    worker.end_with_parent()


def child_exit(server: Any, worker: Any) -> None:
    """Nobody waits for one that is gone to take its share."""
    fair.counts[fair.place_of(worker.age)] = fair.UNUSED
