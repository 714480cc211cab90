"""Tell people by an AWS SNS topic. Never held back: to tell is not to act."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from actions.catalog.connected import Connected
from actions.catalog.kind import Outcome
from actions.connectors.calling import Caller, Link
from actions.connectors.kinds import aws

_ARN = r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}\Z"
SUBJECT_CHARS = 100


class PublishParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`subject`: of the e-mails that SNS sends; one line, the start of it."""

    connector: str
    topic: Annotated[str, msgspec.Meta(pattern=_ARN)]
    message: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]
    subject: str = ""


class Sns(Connected):
    name = "sns"
    label = "Publish to SNS"
    says = "Publishes a message to an AWS SNS topic."
    goes_to = "the topic"
    parameters = PublishParameters
    via = "aws"
    tells_people = True
    undo_words = "A message cannot be taken back."

    def target(self, link: Link, parameters: PublishParameters) -> tuple[str, str]:
        host = link.settings.endpoint_url or f"https://sns.{link.settings.region}.amazonaws.com"
        return "Publish", f"{host.rstrip('/')}/{parameters.topic}"

    def send(
        self, caller: Caller, parameters: PublishParameters, key: str, now: datetime
    ) -> Outcome:
        subject = " ".join(parameters.subject.split())[:SUBJECT_CHARS]
        more = {"Subject": subject} if subject else {}
        answer = aws.call(
            caller,
            "sns",
            "publish",
            TopicArn=parameters.topic,
            Message=parameters.message,
            **more,
        )
        message_id = answer["MessageId"]
        return Outcome("accepted", 200, f"Message {message_id}", result={"message_id": message_id})


KIND = Sns()
