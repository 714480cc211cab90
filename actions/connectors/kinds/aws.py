"""Amazon Web Services, by boto3: an extra that is installed from requirements-aws.txt.

The keys are the connector's own. What this machine may do in AWS (a role, a profile, variables) is
the operator's, so it is never lent to a tenant.
"""

from __future__ import annotations

from typing import Annotated, Any

import httpx
import msgspec
from django.conf import settings as site

from actions.addresses import is_named
from actions.catalog.kind import Outcome
from actions.connectors.calling import Caller, Refused
from actions.connectors.kind import ConnectorKind
from actions.outbound import AnswerLost, NotCalled
from awfdrs_site.kernel.problem import FieldError

# Together within the deadline of a call; botocore knows none for the whole.
CONNECT_SECONDS, READ_SECONDS = 3, 6


class AwsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`endpoint_url`: a stand-in for AWS, whose host the operator has named."""

    region: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]\Z")]
    endpoint_url: str = ""


class Aws(ConnectorKind):
    name = "aws"
    label = "AWS"
    settings = AwsSettings
    secret_form = "access key id:secret access key"  # noqa: S105 (a form, no secret)
    addresses = ("endpoint_url",)

    def check(self, given: Any, named: tuple[str, ...]) -> list[FieldError]:
        """boto3 looks a name up by itself, so a stand-in has to be a host that is named."""
        errors = super().check(given, named)
        url = given.get("endpoint_url") if isinstance(given, dict) else ""
        if not errors and url and not is_named(httpx.URL(url), named):
            words = "An endpoint of one's own must be among RETRY_ALLOWED_HOSTS."
            errors = [FieldError("settings.endpoint_url", "url_not_allowed", words)]
        return errors

    def takes_secret(self, secret: str) -> bool:
        key_id, _, key = secret.partition(":")
        return bool(key_id and key)

    def test(self, caller: Caller) -> Outcome:
        identity = call(caller, "sts", "get_caller_identity")
        return Outcome("accepted", 200, f"Signed in to account {identity['Account']}.")


def call(caller: Caller, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
    """One call of AWS's API. Raises NotCalled, Refused or AnswerLost."""
    try:
        import boto3  # heavy, and an extra
        from botocore import exceptions
        from botocore.config import Config
    except ImportError as error:
        words = "boto3 is not installed: pip install -r requirements-aws.txt"
        raise NotCalled(words) from error
    settings = caller.link.settings
    if settings.endpoint_url and CONNECTOR.check(
        msgspec.to_builtins(settings), site.RETRY_ALLOWED_HOSTS
    ):
        raise NotCalled("The endpoint is not among RETRY_ALLOWED_HOSTS.")
    key_id, _, key = caller.link.secret.partition(":")
    client = boto3.client(
        service,
        region_name=settings.region,
        endpoint_url=settings.endpoint_url or None,
        aws_access_key_id=key_id,
        aws_secret_access_key=key,
        # No second attempt and no proxies of the environment.
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1},
            proxies={},
        ),
    )
    host = httpx.URL(client.meta.endpoint_url).netloc.decode()
    with caller.remember(f"{service}:{operation}", host) as hear:
        try:
            answer: dict[str, Any] = getattr(client, operation)(**parameters)
        except exceptions.ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status >= 500:
                raise AnswerLost(str(error)) from error
            raise Refused(status, str(error)) from error
        except (
            exceptions.EndpointConnectionError,
            exceptions.ConnectTimeoutError,
            exceptions.ParamValidationError,
        ) as error:
            raise NotCalled(str(error)) from error
        except exceptions.BotoCoreError as error:
            raise AnswerLost(str(error)) from error
        hear(answer["ResponseMetadata"]["HTTPStatusCode"], "accepted")
    return answer


CONNECTOR = Aws()
