"""What operators' dialogs about the bridge share: why something is done, and the page to go back to."""

from __future__ import annotations

from django import forms
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget


class ReasonForm(BaseDialogForm):  # type: ignore[misc]
    """Ask an operator why."""

    reason = forms.CharField(
        max_length=200, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}), help_text="The owner reads it."
    )


def back_to(request: HttpRequest, page: str, row: Model) -> HttpResponse:
    """Return to the page of a row, such as ``ea_key``, from a dialog."""
    address = reverse(f"admin:{page}_change", args=[row.pk])
    # The dialog sends its form in the background: the page itself has to be told where to go.
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)
