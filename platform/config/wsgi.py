"""WSGI application: the web runtime at scale."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

application = get_wsgi_application()

# What is loaded by now stays for ever: the collector need not look at it again with every full pass.
gc.collect()
gc.freeze()
