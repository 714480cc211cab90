"""What a kind of connector declares [A7]: its settings, its secret, and how to test it.

A further kind is a further module in `kinds` with a `CONNECTOR`; nothing else is edited.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

import msgspec

from actions.addresses import objection
from actions.catalog.kind import Outcome
from actions.connectors import kinds
from actions.connectors.calling import Caller
from awfdrs_site.kernel.problem import FieldError


class ConnectorKind:
    """What all have in common."""

    name: str
    label: str
    settings: type[msgspec.Struct]
    # The form of the secret, for who writes it.
    secret_form: str
    # Settings that hold an address.
    addresses: tuple[str, ...] = ("base_url",)

    def read(self, given: Mapping[str, Any]) -> Any:
        """`given` as this kind's settings. Raises msgspec.ValidationError."""
        return msgspec.convert(dict(given), self.settings)

    def check(self, given: Any, named: tuple[str, ...]) -> list[FieldError]:
        """What is wrong with the settings `given`; `named`: the hosts the operator trusts."""
        try:
            settings = msgspec.convert(given, self.settings)
        except msgspec.ValidationError as error:
            words, _, place = str(error).partition(" - at `$")
            return [FieldError("settings" + place.rstrip("`"), "invalid", f"{words}.")]
        urls = {name: getattr(settings, name) for name in self.addresses}
        return [
            FieldError(f"settings.{name}", "url_not_allowed", words)
            for name, url in urls.items()
            if url and (words := objection(url, named))
        ]

    def takes_secret(self, secret: str) -> bool:
        """Whether `secret` has the form it needs."""
        return bool(secret)

    def test(self, caller: Caller) -> Outcome:
        """A question that changes nothing and needs the secret. May raise as `Caller.http`."""
        raise NotImplementedError


@cache
def connector_kinds() -> dict[str, ConnectorKind]:
    """Every kind by its name."""
    names = sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))
    modules = (import_module(f"{kinds.__name__}.{name}") for name in names)
    return {module.CONNECTOR.name: module.CONNECTOR for module in modules}
