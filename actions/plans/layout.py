"""Where the boxes and arrows of a plan's picture stand. Pure; see `drawing`.

In px, and shown at that size, so that the text of a picture is as crisp as the page's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from textwrap import wrap

WIDTH, LANE, GAP, BACK_GAP, GUTTER, ROW_GAP, EDGE, TOP = 236, 216, 14, 24, 84, 36, 10, 52
PAD = 12
# Of a line of text: its height, and how many characters fit into a box ahead and on the way back.
LINE = {"title": 18, "code": 17, "words": 16, "note": 18}
CHARS = {"title": (26, 23), "code": (28, 25), "words": (31, 28), "note": (31, 28)}
MOST_LINES = {"title": 2, "words": 3, "note": 2}


@dataclass(frozen=True, slots=True)
class Text:
    """One thing a box says. `role`: title, code, words or note. `lines`: (foot, words) as drawn."""

    role: str
    text: str
    glyph: str = ""
    tone: str = ""
    lines: tuple[tuple[int, str], ...] = ()

    @property
    def glyph_y(self) -> int:
        return self.lines[0][0] - 11


@dataclass(frozen=True, slots=True)
class Box:
    """`role`: start, step, verify or end; undo, stays, stop or back on the way back.

    `key`: the step's, else empty. `x`, `y`: of its corner; its texts are placed within it.
    """

    role: str
    texts: tuple[Text, ...]
    key: str = ""
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0

    @property
    def foot(self) -> int:
        return self.y + self.height

    def sentence(self) -> str:
        """All it says, uncut."""
        title, *more = (text.text for text in self.texts if text.role != "code")
        name = f"{title} ({self.key})" if self.role == "step" else title
        return f"{name}: {' '.join(_stopped(text) for text in more)}" if more else _stopped(name)


@dataclass(frozen=True, slots=True)
class Arrow:
    """`role`: next, fail or back; `path` and its `head` as SVG paths."""

    role: str
    path: str
    head: str


@dataclass(frozen=True, slots=True)
class Row:
    """What stands at one height. `exits`: where a failure of it leads (stop, roll_back)."""

    ahead: tuple[Box, ...]
    back: tuple[Box, ...] = ()
    exits: frozenset[str] = frozenset()
    x: int = 0
    y: int = 0
    height: int = 0

    @property
    def edge(self) -> int:
        """How far the frame of a group stands off its boxes."""
        return EDGE if len(self.ahead) > 1 else 0

    @property
    def width(self) -> int:
        return len(self.ahead) * (WIDTH + GAP) - GAP + 2 * self.edge

    @property
    def foot(self) -> int:
        return self.y + self.height

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def person(self) -> tuple[int, int]:
        """Where a person stands whom a failure of the row calls."""
        return self.right + GUTTER // 2, self.y + 20


def placed(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The rows one below the other, their first boxes too, and the way back beside them all."""
    inset, lane = max(row.edge for row in rows), lane_of(rows)
    found, y = [], TOP
    for row in rows:
        found.append(_row(row, 1 + inset - row.edge, y, lane))
        y = found[-1].foot + ROW_GAP
    return tuple(found)


def lane_of(rows: Sequence[Row]) -> int:
    """Where the way back begins, from the left."""
    inset = max(row.edge for row in rows)
    return 1 + max(inset - row.edge + row.width for row in rows) + GUTTER


def _row(row: Row, x: int, y: int, lane: int) -> Row:
    ahead = [_written(box, WIDTH) for box in row.ahead]
    back = [_written(box, LANE) for box in row.back]
    own = max(box.height for box in ahead) + 2 * row.edge
    beside = sum(box.height + BACK_GAP for box in back) - BACK_GAP
    height = max(own, beside)
    # A box alone fills its row, so that the arrows meet it; those in a frame stand in its middle.
    high = own - 2 * row.edge if row.edge else height
    ahead = [
        replace(box, x=x + row.edge + at * (WIDTH + GAP), y=y + (height - high) // 2, height=high)
        for at, box in enumerate(ahead)
    ]
    below = y + (height - beside) // 2
    stacked = []
    for box in back:
        stacked.append(replace(box, x=lane, y=below))
        below = stacked[-1].foot + BACK_GAP
    return replace(row, ahead=tuple(ahead), back=tuple(stacked), x=x, y=y, height=height)


def _written(box: Box, width: int) -> Box:
    """The box as wide as given, and as high as its texts."""
    texts, foot = [], PAD - 4
    for text in box.texts:
        lines = []
        for words in _cut(text, narrow=width < WIDTH):
            foot += LINE[text.role]
            lines.append((foot - 3, words))
        texts.append(replace(text, lines=tuple(lines)))
    return replace(box, texts=tuple(texts), width=width, height=foot + PAD - 2)


def _cut(text: Text, *, narrow: bool) -> list[str]:
    """As many lines as a text of the role may take, the last with a … where more follows."""
    chars, most = CHARS[text.role][narrow], MOST_LINES.get(text.role, 1)
    lines = wrap(text.text, chars) or [""]
    if len(lines) > most:
        rest = " ".join(lines[most - 1 :])
        lines = [*lines[: most - 1], f"{rest[: chars - 1].rstrip()}…"]
    return lines


def arrows(rows: Sequence[Row]) -> Iterator[Arrow]:
    """From row to row, from what fails to the way back, and up there from undo to undo."""
    for above, below in pairwise(rows):
        x = above.ahead[0].x + WIDTH // 2
        yield Arrow("next", f"M{x} {above.foot}V{below.y - 6}", _head(x, below.y, "down"))
    back = [box for row in rows for box in row.back]
    for upper, lower in pairwise(back):
        if lower.role != "stop":
            x = lower.x + LANE // 2
            yield Arrow("back", f"M{x} {lower.y}V{upper.foot + 6}", _head(x, upper.foot, "up"))
    lane = lane_of(rows)
    for row in rows:
        right = row.right
        if "stop" in row.exits:
            x, y = row.person[0] - 13, row.person[1]
            yield Arrow("fail", f"M{right} {y}H{x - 6}", _head(x, y, "right"))
        if "roll_back" in row.exits and row.back:
            y = row.back[-1].y + row.back[-1].height // 2
            yield Arrow("fail", f"M{right} {y}H{lane - 6}", _head(lane, y, "right"))
        elif "roll_back" in row.exits:
            x, y = lane + LANE // 2, row.y + row.height // 2
            path = f"M{right} {y}H{x}V{back[-1].foot + 6}"
            yield Arrow("fail", path, _head(x, back[-1].foot, "up"))


def _head(x: int, y: int, way: str) -> str:
    """The point of an arrow that ends at the place, on its way down, up or right."""
    return {
        "down": f"M{x} {y}l-4.5 -8h9z",
        "up": f"M{x} {y}l-4.5 8h9z",
        "right": f"M{x} {y}l-8 -4.5v9z",
    }[way]


def _stopped(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
