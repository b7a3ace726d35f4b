"""How gunicorn serves production: `gunicorn --config python:kameng.settings.gunicorn kameng.wsgi`.

Processes use the processors, threads wait for gateways. Behind it stands a web server that buffers slow clients.
"""

import os

bind = os.environ.get("WEB_BIND", "0.0.0.0:8000")
worker_class = "gthread"
workers = int(os.environ.get("WEB_PROCESSES", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
preload_app = True
#: Longer than the web server keeps idle connections, so that it never sends into one that is just being closed.
keepalive = 75
#: The longest view asks a gateway for 15 seconds.
timeout = graceful_timeout = 30
#: Whatever leaks, leaks little; the jitter keeps processes from leaving together.
max_requests, max_requests_jitter = 20_000, 2_000
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
