"""The API under a WSGI server: the same Django, at a quarter of the cost of a request."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "awfdrs_site.settings")
application = get_wsgi_application()

from awfdrs_site.checks import require_valid_environment  # noqa: E402  (needs the settings)

require_valid_environment()
