"""What clients are told of their events, read from the log of transitions by number."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ea import statements
from kernel import db

FRAMES_MAX = 200
# Later than this a command is not told any more.
COMMAND_MS = 60_000
# A client that does not say how far it is hears again of its last steps: those of so many, and of so long ago.
_AGAIN_MAX, _AGAIN_MS = 100, 600_000


def frames_after(*, link_id: int, after: int, limit: int = FRAMES_MAX) -> list[tuple[int, str]]:
    """Return an installation's frames with their numbers, ascending."""
    asked = {"link_id": link_id, "after": after, "limit": limit, "command_ms": COMMAND_MS}
    return [(no, frame) for no, frame in db.rows(statements.FRAMES, asked)]


@dataclass(frozen=True, slots=True)
class InForce:
    """The parameters of an installation: the highest revision of all, and of each strategy the frame that tells it."""

    rev: int
    frames: list[tuple[int, str]]

    def until(self, no: int) -> list[tuple[int, str]]:
        """Return the frames up to a number, ascending: those behind it are told in their turn."""
        return [frame for frame in self.frames if frame[0] <= no]


def params_in_force(link_id: int) -> InForce:
    """Return the parameters that are in force."""
    found = db.rows(statements.PARAMS_IN_FORCE, {"link_id": link_id})
    return InForce(max((rev for _, rev, _ in found), default=0), [(no, frame) for no, _, frame in found])


def frames_after_each(afters: Mapping[int, int], *, limit: int = FRAMES_MAX) -> dict[int, list[tuple[int, str]]]:
    """Return the frames of many installations, each after a number of its own; those without any are left out."""
    asked = {
        "links": db.numbers_array(afters),
        "afters": db.numbers_array(afters.values()),
        "limit": limit,
        "command_ms": COMMAND_MS,
    }
    found: dict[int, list[tuple[int, str]]] = {}
    for link_id, no, frame in db.rows(statements.FRAMES_EACH, asked) if afters else ():
        found.setdefault(link_id, []).append((no, frame))
    return found


def links_with_news(afters: Mapping[int, int]) -> set[int]:
    """Return those installations whose newest transition has a higher number than the one that is given."""
    asked = {"links": db.numbers_array(afters), "afters": db.numbers_array(afters.values())}
    return {link_id for (link_id,) in db.rows(statements.NEWS, asked)} if afters else set()


def newest_numbers(links: Collection[int]) -> dict[int, int]:
    """Return the number of the newest transition of each installation."""
    return dict(db.rows(statements.NEWEST_NO, {"links": db.numbers_array(links)})) if links else {}


def no_to_go_on(*, link_id: int, after: int | None) -> int:
    """Return the number after which a client that connects is told; ``after`` is what it says it has heard."""
    if after is None:
        found = db.row(statements.NO_AGO, {"link_id": link_id, "most": _AGAIN_MAX, "ago_ms": _AGAIN_MS})
        return int(found[0] or 0) if found else 0
    # Who claims a number from the future would hear nothing until then.
    return min(after, newest_numbers([link_id]).get(link_id, 0))
