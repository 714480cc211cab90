"""Times, numbers, meters and JSON as the pages show them."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.template import Context, Template, TemplateSyntaxError
from hypothesis import given
from hypothesis import strategies as st

from awfdrs_site.kernel.ui import glyphs, json_html, svg, tones, wording
from tests.ui import cast

NOW = datetime(2026, 11, 21, 20, 3, 41, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.4, "0.4 s"),
        (0.04, "under 0.1 s"),
        (8, "8 s"),
        (59.6, "1 m"),
        (166, "2 m 46 s"),
        (3600, "1 h"),
        (11_100, "3 h 5 m"),
        (187_200, "2 d 4 h"),
        (-5, "0 s"),
        (timedelta(minutes=31, seconds=5), "31 m 5 s"),
    ],
)
def test_it_says_durations(seconds: float | timedelta | None, words: str) -> None:
    """Two units at most, with spaces; unknown is a dash."""
    assert wording.duration(seconds) == words


@given(st.floats(min_value=0, max_value=1e9, allow_nan=False))
def test_it_never_says_sixty_of_a_unit(seconds: float) -> None:
    """Rounding carries over: there is no `60 s` and no `60 m`."""
    words = wording.duration(seconds)
    assert not re.search(r"\b60 [sm]\b|\b24 h\b", words)
    assert len(words.split(" ")) in (2, 3, 4)


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (10, "just now"),
        (-30, "just now"),
        (240, "4 min ago"),
        (7200, "2 h ago"),
        (3 * 86_400, "3 d ago"),
        (30 * 86_400, "22 Oct"),
        (400 * 86_400, "17 Oct 2025"),
    ],
)
def test_it_says_how_long_ago(age: int, words: str) -> None:
    """Minutes, hours, days, then the date."""
    assert wording.ago(NOW - timedelta(seconds=age), NOW) == words


def test_it_says_clock_times_of_today_and_dates_before() -> None:
    """Today is a clock time, everything else a date."""
    assert wording.clock(NOW, NOW) == "20:03:41"
    assert wording.minute(NOW, NOW) == "20:03"
    assert wording.clock(NOW - timedelta(days=7), NOW) == "14 Nov"
    assert wording.minute(NOW - timedelta(days=400), NOW) == "17 Oct 2025"


@pytest.mark.parametrize(
    ("left", "text"), [(221, "3:41"), (3729, "1:02:09"), (0, "0:00"), (-9, "0:00"), (59.9, "0:59")]
)
def test_it_counts_down(left: float, text: str) -> None:
    """Never more than is left, never negative."""
    assert wording.remaining(NOW + timedelta(seconds=left), NOW) == text


def test_it_says_the_gap_to_the_line() -> None:
    """The gap is said in words, from the figures that are shown."""
    assert wording.shortfall(0.71, 0.85) == "0.14 short"
    assert wording.shortfall(0.91, 0.85) == "0.06 over"
    assert wording.shortfall(0.8, 0.8) == "on the line"
    assert wording.shortfall(0.7999, 0.8) == "on the line"


def test_it_writes_initials() -> None:
    """Two letters from any sort of name."""
    assert [wording.initials(name) for name in ("Mara Kovac", "alice", "anna.berg", "", "x")] == [
        "MK",
        "AL",
        "AB",
        "?",
        "X",
    ]


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_it_keeps_percents_inside_the_bar(part: float, whole: float) -> None:
    """Whatever is measured, a bar is between empty and full."""
    assert 0 <= svg.percent(part, whole) <= 100


@given(st.lists(st.floats(min_value=-1e6, max_value=1e6), min_size=2, max_size=50))
def test_it_draws_lines_inside_their_box(values: list[float]) -> None:
    """No point of a sparkline leaves its box."""
    path = re.search(r'<path d="M([^"]+)"', svg.sparkline(values, "red"))
    assert path
    numbers = [float(number) for number in path[1].split()]
    assert all(0 <= x <= 200 for x in numbers[::2])
    assert all(0 <= y <= 26 for y in numbers[1::2])


def test_it_draws_confidence_with_its_line_and_range() -> None:
    """Value, range and line are where they are said to be."""
    drawn = svg.confidence(0.71, 0.85, 0.62, 0.79)
    assert 'class="fill" y="8" width="71.0%"' in drawn
    assert 'class="range" x="62.0%" y="8" width="17.0%"' in drawn
    assert 'x1="85.0%"' in drawn
    assert 'aria-label="Confidence 71 of 100, auto line 85"' in drawn
    assert "range" not in svg.confidence(0.71, 0.85, None, None)


def test_it_draws_runs_and_their_failures() -> None:
    """One square a run; a failed one differs in shape, not only in hue."""
    drawn = svg.history([True, False, True])
    assert drawn.count('class="worked"') == 2
    assert drawn.count('class="failed"') == 1
    assert drawn.count("<path") == 1


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_JSON)
def test_it_shows_json_unchanged_and_escaped(value: object) -> None:
    """Without its marks the text is the document; no tag but the marks is in it."""
    shown = json_html.render(value)
    text = re.sub(r'<span class="j[ksnx]">|</span>', "", shown)
    assert "<" not in text
    assert json.loads(html.unescape(text)) == value


def test_it_marks_json_and_cuts_what_is_long() -> None:
    """Keys, texts, numbers and masked values differ; a long document is cut and says so."""
    shown = json_html.render({"card": "[masked: pan]", "n": 12, "t": "x"})
    assert '<span class="jk">&quot;card&quot;</span>' in shown
    assert '<span class="jx">&quot;[masked: pan]&quot;</span>' in shown
    assert '<span class="jn">12</span>' in shown
    assert "cut here" in json_html.render(["x" * 100] * 500)


def test_it_knows_every_icon_it_shows() -> None:
    """Each look's glyph is in the sprite, whose ids are unique."""
    looks = [
        *tones.SEVERITY.values(),
        *tones.STATE.values(),
        *tones.ACTION.values(),
        *tones.VERDICT.values(),
        *tones.GATE.values(),
        *tones.RECOVERY.values(),
    ]
    names = {look.icon for look in looks} | {icon for icon, _ in tones.ENTRY.values()}
    assert [name for name in names if not glyphs.known(name)] == []
    ids = re.findall(r'<symbol id="([^"]+)"', glyphs.symbols())
    assert len(ids) == len(set(ids)) == len(glyphs.OWN) + len(glyphs.LUCIDE)


def test_it_has_a_look_for_every_state_of_the_models() -> None:
    """A new status without a look would be shown as unknown."""
    from actions.states import ActionStatus
    from incidents.models import TimelineKind
    from incidents.states import Recovery
    from safety.models import BreakerState, Severity

    assert set(ActionStatus.values) <= set(tones.ACTION)
    assert set(Severity.values) <= set(tones.SEVERITY)
    assert set(BreakerState.values) <= set(tones.BREAKER)
    assert set(Recovery.values) - {""} <= set(tones.RECOVERY)
    assert {row.state for row in cast.incidents()} <= set(tones.STATE)
    # A change of status takes the hue of who made it.
    assert set(TimelineKind.values) - {"status"} <= set(tones.ENTRY)


def test_it_says_both_sides_of_a_state() -> None:
    """Who took an incident on and what its recovery does are two facts."""
    assert tones.life("waiting", acknowledged=True).word == "Acknowledged"
    assert tones.life("waiting", acknowledged=False).word == "Open"
    assert tones.life("resolved", acknowledged=True).word == "Resolved"
    assert tones.recovery("waiting", "actioned").word == "Needs approval"
    assert tones.recovery("", "new").word == "Analysing"
    assert tones.recovery("", "actioned").word == "No plan"


def test_it_refuses_an_icon_that_is_none() -> None:
    """A slip in a template fails in the tests, not as an empty square."""
    with pytest.raises(TemplateSyntaxError, match="no icon 'chek'"):
        Template('{% load ui %}{% icon "chek" %}').render(Context())
    with pytest.raises(TemplateSyntaxError, match="sizes"):
        Template('{% load ui %}{% icon "check" 15 %}').render(Context())


@pytest.mark.parametrize(
    ("change", "unit", "good", "tone", "words"),
    [
        (3.1, "pts", True, "green", "3.1 pts"),
        (-3.1, "pts", True, "red", "3.1 pts"),
        (-48, "s", False, "green", "48 s"),
        (166, "s", False, "red", "2 m 46 s"),
    ],
)
def test_it_colours_a_change_by_good_and_bad(
    change: float, unit: str, good: bool, tone: str, words: str
) -> None:
    """The arrow is the direction; the hue says whether that is good."""
    source = "{% load ui %}{% delta change unit good %}"
    shown = Template(source).render(Context({"change": change, "unit": unit, "good": good}))
    assert f'data-tone="{tone}"' in shown
    assert words in shown
    assert ("i-arrow-up" in shown) == (change > 0)


def test_it_finds_the_gates_reason_and_counts() -> None:
    """What stopped a step is named with the number that decided."""
    source = (
        "{% load ui %}{{ receipt|gate_reason }}|{% with c=receipt|gate_counts %}"
        "{{ c.passed }},{{ c.others|length }}{% endwith %}"
    )
    assert (
        Template(source).render(Context({"receipt": cast.RECEIPT}))
        == "0.71 is under the auto line 0.80|4,1"
    )
    assert Template(source).render(Context({"receipt": {}})) == "|0,0"
