"""The four notifications (retention contract, section 5.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from store.journal.outbox import Message

COMPLETED = "Octy training job has successfully completed."
FAILED = "Octy training job has failed."
TAG_CREATED = "Live segment tag created"
IDENTIFIED = "Profile identification service output"
PARENTS = 100  # in one message


def tag_created(profile_id: str, segment_id: str, tag: str, at: datetime) -> Message:
    """A live tag became active."""
    segment = {"segment_id": segment_id, "segment_tag": tag}
    return Message(TAG_CREATED, {"profile_id": profile_id, "segment": segment}, at)


def training_ended(job: Mapping[str, Any], at: datetime, style: Literal["object", "text"] = "object") -> Message:
    """A training job was published or failed; ``job`` is the body of the contract. A job is told of once."""
    subject = FAILED if job["job_status"] == "Failed" else COMPLETED
    delivery_id = f"delivery_{job['training_job_id']}"
    if style == "object":
        return Message(subject, dict(job), at, delivery_id=delivery_id)
    rest = {name: value for name, value in job.items() if name != "message"}
    return Message(subject, job["message"], at, (("training_job", rest),), delivery_id)


def identified(profiles: Sequence[Mapping[str, Any]], run_id: str, at: datetime) -> list[Message]:
    """Profiles that a published run merged, one entry a parent; at most 100 parents a message."""
    starts = range(0, len(profiles), PARENTS)
    return [
        Message(
            IDENTIFIED, {"profiles": [dict(one) for one in profiles[start : start + PARENTS]]}, at,
            delivery_id=f"delivery_{run_id}_merge_{number}",
        )
        for number, start in enumerate(starts)
    ]
