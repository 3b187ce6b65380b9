"""What an owner tells experts: parameters, by revision, and commands; numbered with the transitions of their orders."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from ea import errors, statements
from ea.models import Instruction, Link
from ea.replies import Command, Params, encoded
from kernel import db
from kernel.errors import FieldError, request_invalid
from kernel.metrics import count

VALUES_MAX, VALUES_BYTES_MAX, STRATEGIES_MAX = 64, 4_096, 64
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}\Z")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?\Z")
_WHOLE = {"expiry_s": ((5, 86_400),), "valid_ms": ((0, 0), (200, 60_000))}
_DECIMALS = ("stake", "min_payout", "max_drift")


@transaction.atomic
def params_put(*, link_id: int, strategy: str, values: Mapping[str, Any], actor_id: UUID, now_ms: int) -> int:
    """Set the parameters of a strategy and return their revision; what is in force already makes no new one.

    :param values: texts, numbers and booleans by name
    :raises Problem: ``request.invalid`` for values that no expert could take, ``ea.strategies_full``
    """
    text = _values_checked(values)
    Link.objects.select_for_update(no_key=True).get(pk=link_id)
    newest = Instruction.objects.filter(link_id=link_id, kind="params", strategy=strategy).order_by("-rev").first()
    if newest is not None and newest.values == text:
        return newest.rev or 0
    if newest is None:
        told = Instruction.objects.filter(link_id=link_id, kind="params").values("strategy").distinct().count()
        if told >= STRATEGIES_MAX:
            raise errors.strategies_full(STRATEGIES_MAX)
    rev = (newest.rev or 0) + 1 if newest else 1
    no = _counted(link_id)
    frame = Params(no=no, strategy=strategy, rev=rev, values=dict(values))
    _told(link_id, no, "params", frame, actor_id, now_ms, strategy=strategy, rev=rev, values=text)
    return rev


@transaction.atomic
def command_tell(*, link_id: int, cmd: str, actor_id: UUID, now_ms: int) -> int:
    """Tell the experts of an installation to do something; return the number under which they are told."""
    no = _counted(link_id)
    _told(link_id, no, "command", Command(no=no, cmd=cmd), actor_id, now_ms, cmd=cmd)
    return no


def params_acked(*, link_id: int, kid: str, strategy: str, rev: int, now_ms: int) -> None:
    """Put down that an expert has put a revision in force; the first time counts, and what never was is left out."""
    db.run(
        statements.PARAMS_ACKED,
        {"link_id": link_id, "kid": kid, "strategy": strategy, "rev": rev, "now_ms": now_ms},
    )


def params_in_force(*, link_id: int, until: int) -> list[tuple[int, str]]:
    """Return the frames of all parameters in force up to a number, with their numbers, ascending."""
    return db.rows(statements.PARAMS_IN_FORCE, {"link_id": link_id, "until": until})  # type: ignore[return-value]


def _counted(link_id: int) -> int:
    """Return the next number of an installation; nothing is locked after this."""
    counted = db.row(statements.COUNT, {"link_id": link_id, "steps": 1})
    assert counted is not None
    return int(counted[0])


def _told(
    link_id: int, no: int, kind: str, frame: Params | Command, actor_id: UUID, now_ms: int, **fields: Any
) -> None:
    row = {"strategy": "", "rev": None, "values": None, "cmd": None} | fields
    told = {"link_id": link_id, "no": no, "kind": kind, "frame": encoded(frame).decode()}
    db.run(statements.INSTRUCT, row | told | {"actor_id": actor_id, "at_ms": now_ms})
    db.rows(statements.TOLD, {"links": db.numbers_array([link_id])})
    count("ea_instructions", kind=kind)


def _values_checked(values: Mapping[str, Any]) -> str:
    """Return parameters as canonical JSON.

    :raises Problem: ``request.invalid`` with each value that cannot be
    """
    wrong = [
        FieldError(f"values.{name}"[:80], "invalid", fault)
        for name, value in values.items()
        if (fault := _fault(name, value))
    ]
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if len(values) > VALUES_MAX:
        wrong.append(FieldError("values", "invalid", f"has at most {VALUES_MAX} names"))
    if not wrong and len(text.encode()) > VALUES_BYTES_MAX:
        wrong.append(FieldError("values", "invalid", f"has at most {VALUES_BYTES_MAX} bytes"))
    if wrong:
        raise request_invalid(*wrong)
    return text


def _fault(name: str, value: Any) -> str:
    """Say what is wrong with a value; the names that all our experts know are held to what they take."""
    if not _NAME.match(name):
        return "a name has 1 to 40 letters, digits, dots, dashes or underscores, and begins with a letter"
    if isinstance(value, str) and not value.isprintable():
        return "a text has printable characters only"
    if name in _WHOLE and (type(value) is not int or not any(least <= value <= most for least, most in _WHOLE[name])):
        spans = " or ".join(f"{least}" if least == most else f"{least} to {most}" for least, most in _WHOLE[name])
        return f"must be a whole number: {spans}"
    if name in _DECIMALS and not (isinstance(value, str) and _DECIMAL.match(value)):
        return "must be a decimal number as text"
    if name == "stake" and Decimal(value) <= 0:
        return "must be above zero"
    return ""
