"""`manage.py rules import | export | diff`: rule files and the tables [S1 S11]."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from awfdrs_site.kernel.problem import Problem
from safety import rule_diff, rule_export, rule_files, rule_rows
from safety.rule_types import Ruleset
from safety.ruleset import RulesetError
from safety.services import ensure_default_rules, import_rules
from tenants.commands import tenant_named

TENANT = "the tenant's id or name; without it the defaults of all tenants"


class Command(BaseCommand):
    help = "Rules as YAML files: into the tables, out of them, or compared with them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        command = verbs.add_parser(
            "import", help="files into the tables: written over what they name, none deleted"
        )
        command.add_argument(
            "paths", nargs="*", type=Path, help="files or folders; without any: config/rules"
        )
        command.add_argument("--tenant", help=TENANT)
        command.add_argument(
            "--if-none",
            action="store_true",
            help="only config/rules, and only where there are no default rules yet (at a start)",
        )
        command = verbs.add_parser("export", help="the rules in force as files that read back")
        command.add_argument("target", nargs="?", default="-", help="a folder, or - for stdout")
        command.add_argument("--tenant", help=TENANT)
        command = verbs.add_parser(
            "diff", help="what the files have otherwise than the tables; exit status 1 if anything"
        )
        command.add_argument("paths", nargs="+", type=Path, help="files or folders")
        command.add_argument("--tenant", help=TENANT)

    def handle(self, *args: Any, **options: Any) -> None:
        with _told():
            {"import": self._import, "export": self._export, "diff": self._diff}[options["verb"]](
                options
            )

    def _import(self, options: dict[str, Any]) -> None:
        tenant = tenant_named(options["tenant"]) if options["tenant"] else None
        paths = options["paths"]
        if options["if_none"]:
            if tenant or paths:
                raise CommandError("--if-none takes neither files nor a tenant.")
            done = ensure_default_rules()
            self.stdout.write("Imported config/rules." if done else "There are rules already.")
            return
        if paths:
            rules = rule_files.read_rules(paths, _in_force(options))
        else:
            rules = rule_files.read_default_rules()
        changed = import_rules(ruleset=rules, tenant=tenant)
        for table, names in changed.items():
            self.stdout.write(f"{table}: {len(names)} new or changed")
        if not changed:
            self.stdout.write("Nothing to change.")

    def _export(self, options: dict[str, Any]) -> None:
        rules = _in_force(options)
        if mistakes := rule_export.mistakes_in(rules):
            raise RulesetError(mistakes)
        if options["target"] == "-":
            self.stdout.write(rule_export.to_yaml(rule_export.sections_of(rules)), ending="")
            return
        folder = Path(options["target"])
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in rule_export.to_files(rules).items():
            (folder / name).write_text(text)
            self.stdout.write(str(folder / name))

    def _diff(self, options: dict[str, Any]) -> None:
        present = _in_force(options)
        wanted = rule_files.read_rules(options["paths"], present)
        found = rule_diff.differences(present, wanted, rule_export.sections_of(wanted))
        for one in found:
            self.stdout.write(str(one))
        if found:
            sys.exit(1)
        self.stdout.write("No difference.")


def _in_force(options: dict[str, Any]) -> Ruleset:
    """The tenant's rules with the defaults it has no own for, or the defaults alone."""
    return rule_rows.load(tenant_named(options["tenant"]).pk if options["tenant"] else None)


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with the files or the rules, as the words of a CommandError."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from None
    except RulesetError as error:
        lines = [f"{e.file}:{e.line}: {e.path or 'file'}: {e.message}" for e in error.errors]
        raise CommandError("\n".join(lines)) from None
    except Problem as error:
        raise CommandError("\n".join(e.detail for e in error.errors)) from None
