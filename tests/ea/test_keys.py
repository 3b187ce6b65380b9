"""Keys and installations: made, shown once, kept encrypted, rotated with an overlap, revoked (S-23, S-24)."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.test import override_settings

from accounts.domain import address_parsed
from ea import ciphers, services
from ea.codes import RejectCode, Rejected
from ea.keys import keys_beside, keys_ended, keys_read, last_seq
from ea.log import EventLog
from ea.models import Alert, Key, Link
from ea.protocol import Mac, signature_holds, signed
from kernel import db
from tests.ea.bridge import Installation, installation, with_key
from tests.ea.events import arrived
from tests.market import db_now_ms, trader_open

pytestmark = pytest.mark.django_db
DAY_MS = 86_400_000


@pytest.fixture
def one() -> Installation:
    return installation()


def test_the_command_prints_key_and_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """Contract, Commands: ``<kid> <secret>`` and nothing else."""
    trader = trader_open()
    where = ["--user", trader.user.email, "--account", "777", "--server", "Broker-Live"]
    call_command("create_ea_key", *where, "--ledger", "real", "--networks", "10.0.0.0/8, ::1")
    kid, secret = capsys.readouterr().out.split()
    key = Key.objects.select_related("link").get(kid=kid)
    assert (key.link.account, key.link.server, key.link.ledger) == ("777", "Broker-Live", "real")
    assert (key.scopes, key.ledgers, key.networks) == (["source"], ["real"], ["10.0.0.0/8", "::1/128"])
    live = keys_read([kid])[kid]
    assert signature_holds(signed(b'{"a":1}', secret.encode()), Mac(live.secret))
    call_command("create_ea_key", *where)
    assert (Link.objects.count(), Link.objects.get().ledger) == (1, "demo")


@pytest.mark.parametrize(
    "changes",
    [
        {"--user": "nobody@example.com"},
        {"--account": ""},
        {"--account": "1" * 41},
        {"--server": "s" * 65},
        {"--networks": "here"},
    ],
)
def test_the_command_refuses_what_cannot_be(changes: dict[str, str]) -> None:
    given = {"--user": trader_open().user.email, "--account": "777", "--server": "Broker"} | changes
    with pytest.raises(CommandError):
        call_command("create_ea_key", *(word for pair in given.items() for word in pair))
    assert Key.objects.count() == 0


def test_the_secret_is_nowhere_in_the_database(one: Installation) -> None:
    """ea 5: encrypted at rest, under a key that the database does not hold."""
    _, secret = services.key_create(link_id=one.link.pk, now_ms=db_now_ms())
    for key in Key.objects.all():
        row = bytes(key.secret)
        assert secret.encode() not in row
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the library says of a wrong key
            Fernet(Fernet.generate_key()).decrypt(row)
    assert secret not in str(db.rows("SELECT * FROM ea_key"))
    assert secret not in repr(keys_beside(one.key.kid))


def test_a_rotated_secret_key_still_reads_keys(one: Installation, settings: Any) -> None:
    before = keys_read([one.key.kid])[one.key.kid].secret
    ciphers.cipher.cache_clear()
    try:
        with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=[settings.SECRET_KEY]):
            assert keys_read([one.key.kid])[one.key.kid].secret == before
            ciphers.cipher.cache_clear()
        with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=[]):
            ciphers.cipher.cache_clear()
            assert keys_read([one.key.kid]) == {}
    finally:
        ciphers.cipher.cache_clear()


def test_two_keys_live_during_a_rotation_and_no_third(one: Installation) -> None:
    """ea 5: two live keys, the old one for 48 hours more."""
    now_ms = db_now_ms()
    new, _ = services.key_rotate(kid=one.key.kid, now_ms=now_ms)
    old = Key.objects.get(kid=one.key.kid)
    assert old.valid_until_ms == now_ms + 2 * DAY_MS
    assert (new.link_id, new.scopes, new.ledgers, new.networks) == (old.link_id, old.scopes, old.ledgers, old.networks)
    with pytest.raises(ValueError, match="at most 2 keys"):
        services.key_rotate(kid=new.kid, now_ms=now_ms)
    services.key_rotate(kid=new.kid, now_ms=now_ms + 3 * DAY_MS)
    with pytest.raises(ValueError, match="not in force"):
        services.key_rotate(kid=old.kid, now_ms=now_ms + 3 * DAY_MS)


def test_a_revoked_key_is_ended_for_ever(one: Installation) -> None:
    now_ms = db_now_ms()
    assert keys_ended([one.key.kid]) == set()
    assert services.key_revoke(kid=one.key.kid, now_ms=now_ms)
    assert not services.key_revoke(kid=one.key.kid, now_ms=now_ms + 1)
    assert keys_ended([one.key.kid]) == {one.key.kid}
    with pytest.raises(Rejected) as refused:
        keys_read([one.key.kid])[one.key.kid].check(address=None, now_ms=now_ms)
    assert refused.value.code is RejectCode.KEY_REVOKED


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ([], "203.0.113.9", True),
        (["203.0.113.0/24"], "203.0.113.9", True),
        (["203.0.113.0/24"], "::ffff:203.0.113.9", True),
        (["::ffff:203.0.113.0/120"], "203.0.113.9", True),
        (["203.0.113.0/24"], "203.0.114.9", False),
        (["2001:db8::/32"], "2001:db8::1", True),
        (["2001:db8::/32"], "203.0.113.9", False),
        (["203.0.113.0/24"], "", False),
    ],
)
def test_addresses(networks: list[str], address: str, allowed: bool) -> None:
    """S-23: lists of addresses, IPv6 and mapped IPv4 included."""
    one = installation(networks=networks)
    key = keys_read([one.key.kid])[one.key.kid]
    if allowed:
        key.check(address=address_parsed(address), now_ms=db_now_ms())
        return
    with pytest.raises(Rejected) as refused:
        key.check(address=address_parsed(address), now_ms=db_now_ms())
    assert refused.value.code is RejectCode.IP_DENIED


def test_a_key_has_its_time(one: Installation) -> None:
    now_ms = db_now_ms()
    limited = with_key(one.trader, one.link, valid_until_ms=now_ms + 60_000)
    key = keys_read([limited.key.kid])[limited.key.kid]
    key.check(address=None, now_ms=key.valid_from_ms)
    for wrong_ms in (key.valid_from_ms - 1, now_ms + 60_000):
        with pytest.raises(Rejected):
            key.check(address=None, now_ms=wrong_ms)


def test_a_closed_account_s_keys_are_no_more(one: Installation) -> None:
    one.trader.user.is_active = False
    one.trader.user.save()
    assert keys_read([one.key.kid])[one.key.kid].revoked


@pytest.mark.parametrize(
    "terms",
    [
        {"scopes": []},
        {"scopes": ["admin"]},
        {"ledgers": []},
        {"ledgers": ["margin"]},
        {"valid_until_ms": 1},
        {"networks": ["nowhere"]},
    ],
)
def test_terms_that_cannot_be(one: Installation, terms: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        services.key_create(link_id=one.link.pk, now_ms=db_now_ms(), **terms)


def test_an_installation_of_a_tournament_names_its_wallet() -> None:
    trader = trader_open()
    for ledger, wallet_id in (("tournament", None), ("demo", trader.wallets["demo"]), ("margin", None)):
        with pytest.raises(ValueError, match="ledger"):
            services.link_ensure(
                user_id=trader.user.id, account="1", server="s", ledger=ledger, wallet_id=wallet_id, now_ms=1
            )
    with pytest.raises(ValueError, match="no such wallet"):
        services.link_ensure(
            user_id=trader.user.id,
            account="1",
            server="s",
            ledger="tournament",
            wallet_id=trader_open().wallets["demo"],
            now_ms=1,
        )


def test_the_last_number_counts_over_all_keys_of_an_installation(one: Installation) -> None:
    """A rotation does not begin the numbers anew."""
    other = with_key(one.trader, one.link)
    log = EventLog()
    log.append([arrived(one, 1), arrived(one, 2)])
    log.append([arrived(other, 3), arrived(other, 9, sid="another")])
    log.append([arrived(installation(), 40)])
    assert last_seq(link_id=one.link.pk, sid="s1") == 3
    assert last_seq(link_id=one.link.pk, sid="none") == 0


def test_an_address_is_put_on_record_once(one: Installation) -> None:
    for _ in range(2):
        services.address_note(link_id=one.link.pk, kid=one.key.kid, address="203.0.113.9", now_ms=1)
    services.address_note(link_id=one.link.pk, kid=one.key.kid, address="203.0.113.10", now_ms=2)
    assert list(Alert.objects.order_by("id").values_list("kind", "address")) == [
        ("address", "203.0.113.9"),
        ("address", "203.0.113.10"),
    ]
