"""The causes a failure may have, and how likely each is given the class of its error."""

from typing import Literal

from safety.rule_types import Category

Cause = Literal[
    "vendor_failing",
    "vendor_limit",
    "network",
    "contention",
    "credential",
    "input",
    "refusal",
    "exhaustion",
    "change",
    "configuration",
    "defect",
    "passing",
]

TITLES: dict[Cause, str] = {
    "vendor_failing": "{vendor} itself is failing or slow",
    "vendor_limit": "More calls to {vendor} than it allows",
    "network": "The network on the way to {vendor} is disturbed",
    "contention": "Several writers want the same records at once",
    "credential": "The credential for {vendor} is no longer accepted",
    "input": "These records are refused as they are",
    "refusal": "The other side said no, and means it",
    "exhaustion": "A resource has run out: memory, disk, connections or quota",
    "change": "A recent change broke {workflow}",
    "configuration": "A setting or a permission is wrong",
    "defect": "The program of {workflow} has a defect",
    "passing": "A short disturbance that passes by itself",
}

# After these the same request can succeed without anybody changing anything.
RETRY_HELPS: frozenset[Cause] = frozenset(
    ("vendor_failing", "vendor_limit", "network", "contention", "passing")
)


def weights(**by_cause: float) -> dict[Cause, float]:
    """Numbers by cause. Raises KeyError for a name that is no cause."""
    if wrong := set(by_cause) - set(TITLES):
        raise KeyError(*sorted(wrong))
    return {cause: by_cause[cause] for cause in TITLES if cause in by_cause}


def title_of(cause: Cause, vendor: str, workflow: str) -> str:
    """The cause as a plain sentence without its full stop."""
    title = TITLES[cause].format(vendor=vendor or "the vendor", workflow=workflow or "the workflow")
    return title[0].upper() + title[1:]


def lasting_share(category: Category, certainty: float) -> float:
    """The prior belief in causes that no retry mends."""
    beliefs = prior(category, certainty)
    return sum(beliefs[cause] for cause in TITLES if cause not in RETRY_HELPS)


# P(cause | class of the error). What a row lacks to 1 is "something else".
_PRIORS: dict[Category, dict[Cause, float]] = {
    "transient_timeout": weights(
        vendor_failing=0.35, passing=0.25, network=0.15, exhaustion=0.08, change=0.05
    ),
    "network_failure": weights(
        network=0.45, vendor_failing=0.2, passing=0.2, change=0.04, configuration=0.03
    ),
    "vendor_rate_limit": weights(vendor_limit=0.78, passing=0.07, change=0.05),
    "vendor_outage": weights(
        vendor_failing=0.7, passing=0.1, network=0.05, change=0.05, input=0.03
    ),
    "lock_contention": weights(contention=0.75, passing=0.1, change=0.05, defect=0.02),
    "resource_exhausted": weights(exhaustion=0.75, change=0.08, defect=0.05, passing=0.03),
    "credential_expired": weights(credential=0.8, configuration=0.08, change=0.05),
    "bad_data": weights(input=0.65, change=0.1, defect=0.06, configuration=0.05),
    "business_decline": weights(refusal=0.86, input=0.04),
    "configuration": weights(configuration=0.62, change=0.15, credential=0.1),
    "code_defect": weights(defect=0.5, change=0.3, input=0.1),
    "unknown": weights(change=0.12, input=0.12, defect=0.12, vendor_failing=0.11)
    | weights(passing=0.1, network=0.09, exhaustion=0.06, configuration=0.06)
    | weights(credential=0.04, contention=0.03),
}


def prior(category: Category, certainty: float) -> dict[Cause, float]:
    """Belief in each cause before any observation: the class as far as it is certain, else open."""
    trust = min(max(certainty, 0.0), 1.0)
    sure, open_ = _PRIORS[category], _PRIORS["unknown"]
    return {
        cause: trust * sure.get(cause, 0.0) + (1.0 - trust) * open_.get(cause, 0.0)
        for cause in TITLES
    }
