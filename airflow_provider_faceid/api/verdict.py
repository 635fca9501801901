"""A verdict: one answer, judged by the outcome table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .action import Action
from .actions import ACTIONS
from .codes import BELOW_THRESHOLD, IMPLAUSIBLE, UNKNOWN_CODE, CodeRow, Outcome, Step, look_up
from .messages import MALFORMED, Reply

DEFAULT_THRESHOLD = 70.0
"""The page's recommendation: at 70, 0.01 % of different people pass."""

MAX_SIMILARITY = 100.0


@dataclass(frozen=True)
class Verdict:
    """
    The answer to one call. Holds no name, number or photo.

    :param action: the API Action.
    :param outcome: the verdict in one word.
    :param step: what to do with the row.
    :param code: ``Result`` or ``Error.Code`` as the service sent it.
    :param similarity: 0.00-100.00 where faces were compared, otherwise None.
    :param charged: True, False, or None where no page says.
    :param request_id: the service's RequestId.
    :param description: the service's text, with the request's own values struck out.
    :param meaning: our text for the code.
    :param attempts: requests made for this answer, throttled ones included.
    :param throttled: how many of them were refused as too fast.
    :param gateway_refusals: how many of them a gateway refused in the service's place. It says that
        they were not processed; whether they were charged, only the service's bill says.
    :param latency_ms: milliseconds from sending to the whole answer, waits excluded.
    :param waited_ms: milliseconds from when the call was ready to that sending: the wait for the pace,
        and earlier requests of the same call.
    :param outputs: what else the answer says, by column of the result table; nothing that says the
        request's own values back.
    :param fields: the whole ``Response`` object; may hold personal data, so it is not printed.
    """

    action: str
    outcome: Outcome
    step: Step
    code: str
    similarity: float | None
    charged: bool | None
    request_id: str
    description: str
    meaning: str
    attempts: int = 1
    throttled: int = 0
    gateway_refusals: int = 0
    latency_ms: int = 0
    waited_ms: int = 0
    outputs: Mapping[str, str | int | float | None] = field(default_factory=dict)
    fields: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_match(self) -> bool:
        """Say whether the person was confirmed."""
        return self.outcome is Outcome.MATCH


def judge(reply: Reply, threshold: float = DEFAULT_THRESHOLD) -> Verdict:
    """
    Turn a reply into a verdict.

    A face match counts only with a similarity between 0 and 100, and only at or above the
    threshold: a lower one is ``review``. Never the other way round: a refusal stays a refusal.

    :param threshold: similarity from which a face match is accepted.
    """
    action, code = ACTIONS.get(reply.action), reply.code
    row = look_up(None if action is None else action.results, code)
    if reply.is_error and row.outcome is Outcome.MATCH:  # no error says so
        code, row = MALFORMED, UNKNOWN_CODE
    similarity = None
    if action is not None and action.compares_faces:
        similarity = _similarity(reply)
        if not similarity and code not in action.comparison_codes:
            similarity = (
                None  # the field is never null: 0 also where nothing was compared (inferred)
            )
        row = _face_row(row, similarity, threshold)
    return Verdict(
        action=reply.action,
        outcome=row.outcome,
        step=row.step,
        code=code,
        similarity=similarity,
        charged=row.charged.flag,
        request_id=reply.request_id,
        description=reply.description,
        meaning=row.meaning,
        outputs=_outputs(action, reply),
        fields=reply.fields,
    )


def _outputs(action: Action | None, reply: Reply) -> dict[str, str | int | float | None]:
    listed = () if action is None else action.outputs
    return {
        output.column: output.read(reply.fields.get(output.name), reply.personal)
        for output in listed
    }


def _similarity(reply: Reply) -> float | None:
    value = reply.fields.get("Sim")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= MAX_SIMILARITY else None


def _face_row(row: CodeRow, similarity: float | None, threshold: float) -> CodeRow:
    if row.outcome is not Outcome.MATCH:
        return row
    if similarity is None:
        return IMPLAUSIBLE
    return row if similarity >= threshold else BELOW_THRESHOLD
