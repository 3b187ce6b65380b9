"""Write the published examples of evidence: ``python -m tests.verify``."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
django.setup()

# Models can be imported only now.
from tests.verify.published import write  # noqa: E402

write()
