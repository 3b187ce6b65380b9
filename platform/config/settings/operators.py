"""The look of the admin and its navigation."""

from __future__ import annotations

from django.urls import reverse_lazy


def _link(title: str, icon: str, name: str) -> dict[str, object]:
    app, model = name.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": lambda request, perm=f"{app}.view_{model}": request.user.has_perm(perm),
    }


UNFOLD = {
    "SITE_TITLE": "Fairstrike",
    "SITE_HEADER": "Fairstrike",
    "SITE_SUBHEADER": "Operations",
    "SITE_SYMBOL": "balance",
    "SITE_URL": "/",
    "SHOW_HISTORY": True,
    "DASHBOARD_CALLBACK": "config.admin.dashboard",
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "base": {
            "50": "#f7f9fb",
            "100": "#eef1f5",
            "200": "#dde3ea",
            "300": "#c3ccd7",
            "400": "#8b97a7",
            "500": "#657184",
            "600": "#4a5565",
            "700": "#303844",
            "800": "#20262e",
            "900": "#11151a",
            "950": "#0b0e12",
        },
        "primary": {
            "50": "#effbf8",
            "100": "#d6f5ee",
            "200": "#aeeadd",
            "300": "#7cdac8",
            "400": "#3cc4ae",
            "500": "#2fb5a0",
            "600": "#1f8f7f",
            "700": "#1b7267",
            "800": "#195b53",
            "900": "#174b45",
            "950": "#072c29",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Market",
                "items": [
                    _link("Symbols", "candlestick_chart", "quotes.symbol"),
                    _link("Feeds", "sensors", "quotes.feedstatus"),
                    _link("Revisions", "published_with_changes", "quotes.symbolrevision"),
                    _link("Incidents", "emergency_home", "quotes.incident"),
                    _link("Trading hours", "calendar_clock", "quotes.marketcalendar"),
                    _link("Halts", "pause_circle", "quotes.haltchange"),
                    _link("Payout changes", "percent", "quotes.payoutchange"),
                    _link("Refused ticks", "block", "quotes.refusedsample"),
                ],
            },
            {
                "title": "Orders",
                "items": [
                    _link("Orders", "swap_vert", "trading.order"),
                    _link("Open orders", "hourglass_top", "trading.orderopen"),
                    _link("Disputes", "gavel", "trading.dispute"),
                    _link("Days by symbol", "bar_chart", "settlement.dailysymbol"),
                    _link("Days by user", "leaderboard", "settlement.dailyuser"),
                ],
            },
            {
                "title": "Bridge",
                "items": [
                    _link("States of the bridge", "toggle_off", "ea.tradingswitch"),
                    _link("Risk limits", "shield", "ea.risklimits"),
                    _link("Signals", "bolt", "ea.eaorder"),
                    _link("Attribution", "timer", "ea.latency"),
                    _link("Installations", "desktop_windows", "ea.link"),
                    _link("Keys", "vpn_key", "ea.key"),
                    _link("Alerts", "notification_important", "ea.alert"),
                    _link("Unknown symbols", "question_mark", "ea.unknownsymbol"),
                    _link("Names of symbols", "label", "ea.symbolalias"),
                ],
            },
            {
                "title": "Ledger",
                "items": [
                    _link("Accounts", "account_balance_wallet", "ledger.account"),
                    _link("Transfers", "receipt_long", "ledger.transfer"),
                    _link("Adjustment requests", "approval", "ledger.adjustmentrequest"),
                    _link("Adjustments", "edit_note", "ledger.adjustment"),
                ],
            },
            {
                "title": "People",
                "items": [
                    _link("Users", "person", "accounts.user"),
                    _link("API tokens", "key", "accounts.apitoken"),
                    _link("Own limits", "shield_person", "accounts.limit"),
                    _link("Limit changes", "manage_history", "accounts.limitchange"),
                    _link("Bans", "person_off", "accounts.ban"),
                    _link("Country policies", "public", "accounts.countrypolicy"),
                    _link("Access trail", "footprint", "accounts.accesstrail"),
                    _link("Sessions", "devices", "usersessions.usersession"),
                    _link("Consents", "task_alt", "accounts.consent"),
                    _link("E-mail addresses", "alternate_email", "account.emailaddress"),
                    _link("Second factors", "passkey", "mfa.authenticator"),
                    _link("Operator groups", "group", "auth.group"),
                    _link("Events", "notifications", "realtime.eventcounter"),
                ],
            },
            {
                "title": "Platform",
                "items": [
                    _link("Job runs", "schedule", "kernel.jobrun"),
                    _link("Waiting facts", "pending_actions", "kernel.factbatch"),
                ],
            },
        ],
    },
}
