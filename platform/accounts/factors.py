"""Whether the person at a session has just shown that it is the user."""

from __future__ import annotations

import time

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest

from accounts import errors
from accounts.callers import Caller


def fresh_factor_require(request: HttpRequest, caller: Caller) -> None:
    """Refuse what only the user in person may do, unless it was confirmed within the last minutes.

    A user with a second factor confirms with that, any other with the password. A token is no person.

    :raises Problem: ``auth.reauthentication``
    """
    if caller.token_id is not None or not _is_fresh(request):
        raise errors.reauthentication_required()


def _is_fresh(request: HttpRequest) -> bool:
    has_factor = Authenticator.objects.filter(user_id=request.user.pk).exists()
    records = get_authentication_records(request, request.user)
    since_s = time.time() - settings.ACCOUNT_REAUTHENTICATION_TIMEOUT
    return any(
        record.get("reauthenticated") and record["at"] > since_s and (record["method"] == "mfa" or not has_factor)
        for record in records
    )
