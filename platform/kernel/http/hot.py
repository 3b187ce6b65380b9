"""A short way to one view, for the requests that come most often and need least."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from kernel.http.middleware import ProblemMiddleware

GetResponse = Callable[[HttpRequest], HttpResponse]


class HotRouteMiddleware:
    """Hand requests of programs for a hot address straight to its view.

    A program shows a token. Cookies mean nothing beside it, so sessions, CSRF, messages and the guards of pages have
    nothing to do, and the address need not be looked for among all others. The view is the one that the address names:
    browsers reach it by the long way, and from there on nothing differs. It stands behind the middleware that numbers
    requests, demands HTTPS and sets the headers of every answer.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._problems = ProblemMiddleware(get_response)
        self._views: dict[tuple[str, str], GetResponse] = {
            key: import_string(name) for key, name in settings.HOT_ROUTES.items()
        }

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer by the short way where there is one."""
        view = self._views.get((request.method or "", request.path_info))
        if view is None or "HTTP_AUTHORIZATION" not in request.META:
            return self.get_response(request)
        try:
            # As the long way does: a host that is not ours is refused.
            request.get_host()
            answer = view(request)
        except Exception as error:
            # The long way's own answer to what a view raises; Django handles the rest.
            refused = self._problems.process_exception(request, error)
            if refused is None:
                raise
            answer = refused
        # As the long way does, too: without it an answer goes out in chunks.
        answer["Content-Length"] = str(len(answer.content))
        return answer
