"""Pins: where a person overrules the grouper."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from incidents.detecting.pins import (
    TRAITS,
    Pin,
    Pins,
    Traits,
    pinned_signature,
    pinned_to,
    value_of,
)
from incidents.detecting.signature import Signature
from tests.pure.strategies import many

BASE = Signature("code", "timeout", "a" * 32)
TRAIT = Traits("Order 7 timed out", "Timeout", "stripe", "order", "payment.failed")
FEW = st.sampled_from(["", "a", "b", "Order 1 of bob@x.org", "Order 22 of eve@x.org", "stripe"])
TRAITS_OF_EVENTS = st.builds(Traits, FEW, FEW, FEW, FEW, FEW)


def pin(base: Signature, trait: str, traits: Traits) -> Pin:
    value = traits.value(trait)
    return Pin(base.digest, trait, value, pinned_to(base, trait, value, "it"))


def on(*pins: Pin) -> Pins:
    found: dict[str, list[Pin]] = {}
    for one in pins:
        found.setdefault(one.splits, []).append(one)
    return found


def test_it_takes_what_has_the_value_and_leaves_the_rest() -> None:
    stripe = pin(BASE, "vendor", TRAIT)
    assert pinned_signature(BASE, TRAIT, on(stripe)) == stripe.signature
    assert pinned_signature(BASE, replace(TRAIT, vendor="adyen"), on(stripe)) == BASE
    other = replace(BASE, digest="b" * 32)
    assert pinned_signature(other, TRAIT, on(stripe)) == other
    assert stripe.signature.text == "timeout, vendor: it"


def test_habits_and_what_varies_make_no_difference() -> None:
    same = replace(TRAIT, message="order 99  timed out", error_code="TIMEOUT", vendor=" Stripe ")
    for trait in TRAITS:
        one = pin(BASE, trait, TRAIT)
        assert pinned_signature(BASE, same, on(one)) == one.signature


def test_the_first_pin_made_decides() -> None:
    """What it took was not there any more when the second was made."""
    stripe, orders = pin(BASE, "vendor", TRAIT), pin(BASE, "resource_type", TRAIT)
    assert pinned_signature(BASE, TRAIT, on(stripe, orders)) == stripe.signature
    assert pinned_signature(BASE, TRAIT, on(orders, stripe)) == orders.signature


def test_what_was_split_off_is_split_in_turn() -> None:
    stripe = pin(BASE, "vendor", TRAIT)
    orders = pin(stripe.signature, "resource_type", TRAIT)
    assert pinned_signature(BASE, TRAIT, on(stripe, orders)) == orders.signature
    contact = replace(TRAIT, resource_type="contact")
    assert pinned_signature(BASE, contact, on(stripe, orders)) == stripe.signature


@many
@given(st.lists(st.tuples(st.sampled_from(list(TRAITS)), TRAITS_OF_EVENTS)), TRAITS_OF_EVENTS)
def test_each_failure_goes_where_it_would_go_pin_by_pin(
    made: list[tuple[str, Traits]], event: Traits
) -> None:
    """Pins made one after the other, each on what the last one left or split off: the failure is
    where the person who made them saw it go, and a repetition goes there too."""
    pins: list[Pin] = []
    at = base = BASE
    for number, (trait, like) in enumerate(made):
        base = pins[-1].signature if pins and number % 2 else BASE
        one = pin(base, trait, like)
        if one in pins:
            continue
        pins.append(one)
        if at == base and event.value(trait) == one.value:
            at = one.signature
    # A pin on what was split off is made after it, so nothing was ever moved past it.
    found = pinned_signature(BASE, event, on(*pins))
    assert found == at
    assert pinned_signature(BASE, replace(event), on(*pins)) == found


@many
@given(st.sampled_from(list(TRAITS)), FEW, FEW)
def test_different_values_are_different_signatures(trait: str, one: str, other: str) -> None:
    first, second = value_of(trait, one), value_of(trait, other)
    same = pinned_to(BASE, trait, first, "x").digest == pinned_to(BASE, trait, second, "x").digest
    assert same == (first == second)
