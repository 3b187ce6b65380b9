"""Forms: what sign-up asks beside e-mail and password."""

from __future__ import annotations

from django import forms
from django.core.validators import RegexValidator
from django.http import HttpRequest

from accounts.models import User


class SignUpForm(forms.Form):
    """The optional fields of sign-up; the adapter stores them with the user."""

    country = forms.CharField(
        required=False,
        max_length=2,
        validators=[RegexValidator(r"\A[A-Z]{2}\Z", "Give the two capital letters of ISO 3166.")],
    )
    terms_accepted = forms.BooleanField(required=False)

    def signup(self, request: HttpRequest, user: User) -> None:
        """Add nothing: the account adapter has stored the fields in the user's own transaction."""
