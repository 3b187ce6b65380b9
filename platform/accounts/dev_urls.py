"""Addresses that exist in development only."""

from __future__ import annotations

from django.urls import path

from accounts.mail import mail_page

urlpatterns = [path("mail", mail_page, name="dev_mail"), path("mail/", mail_page)]
