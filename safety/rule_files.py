"""The rule files that come with the program, and those an operator names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

from safety.rule_types import Ruleset
from safety.ruleset import parse
from safety.strict_yaml import MAX_BYTES

DEFAULT_RULES = Path("config") / "rules"


def read_default_rules() -> Ruleset:
    """The rules of config/rules; raises RulesetError or OSError when they cannot be used."""
    return read_rules([Path(settings.BASE_DIR) / DEFAULT_RULES])


def read_rules(paths: Iterable[Path], in_force: Ruleset | None = None) -> Ruleset:
    """The rules in the files, and in the `*.yaml` of the folders, among `paths`.

    They may name the retry policies that are `in_force`.
    """
    policies = in_force.retry_policies if in_force else ()
    return parse(texts_of(paths), [policy.name for policy in policies])


def texts_of(paths: Iterable[Path]) -> dict[str, str]:
    """Name → text of the files, and of the `*.yaml` of the folders, among `paths`."""
    files: dict[str, str] = {}
    for path in paths:
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
            with file.open("rb") as stream:
                # One byte more than allowed shows the parser that there is more.
                text = stream.read(MAX_BYTES + 1)
            files[str(file)] = text.decode("utf-8", "replace")
    return files
