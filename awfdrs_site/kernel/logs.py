"""JSON log lines with correlation and tenant ids, secrets scrubbed [O4 E10]."""

from __future__ import annotations

import logging
import logging.config
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog

from awfdrs_site.kernel.scrub import scrub

_PLAIN = (str, int, float, bool, type(None), dict, list, tuple)


def _scrub_line(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Mask secrets in every value; what is not JSON becomes text first, so nothing slips by."""
    shown = {key: _plain(value) for key, value in event.items()}
    masked: structlog.typing.EventDict = scrub(shown)
    return masked


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, _PLAIN) else repr(value)


_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso"),
]


class _ExpectedRefusals(logging.Filter):
    """Drops Django's error line for a 503: an open breaker is an answer, not a fault of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(record, "status_code", None) != HTTPStatus.SERVICE_UNAVAILABLE


def configure(config: Mapping[str, Any]) -> None:
    """Django's LOGGING_CONFIG hook: one handler, one JSON object a line, for all loggers."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": formatter}},
            "filters": {"expected": {"()": _ExpectedRefusals}},
            "handlers": {
                "console": {
                    "class": "logging.StreamHandler",
                    "formatter": "json",
                    "filters": ["expected"],
                }
            },
            "root": {"handlers": ["console"], "level": config["level"]},
            "loggers": {
                "daphne": {"level": "WARNING"},
                "django.channels.server": {"level": "WARNING"},
                # At DEBUG it prints every statement with its values: session keys, hashes.
                "django.db.backends": {"level": "INFO"},
                "httpx": {"level": "WARNING"},
                "httpcore": {"level": "WARNING"},
                "celery.app.trace": {"level": "WARNING"},
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.beat": {"level": "WARNING"},
            },
        }
    )


def formatter() -> structlog.stdlib.ProcessorFormatter:
    """Renders a record of structlog or of the standard library as one scrubbed JSON line."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _scrub_line,
            structlog.processors.JSONRenderer(),
        ],
    )
