"""Composition root: settings, URLs, ASGI and Celery applications, embedded servers, supervisor."""
