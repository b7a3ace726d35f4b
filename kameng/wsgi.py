"""The web server's entry: pages that are kept first, then Django."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kameng.settings.base")

django_application = get_wsgi_application()

from catalog.listings.pages_kept import serve_kept  # noqa: E402 -- needs the apps to be loaded
from kameng.core.database.sessions import sessions  # noqa: E402
from kameng.core.database.warming import warming  # noqa: E402
from kameng.warmed import STATEMENT, worker_tell  # noqa: E402

application = serve_kept(django_application)
sessions.shared = True
warming.statement, warming.tell = STATEMENT, worker_tell
