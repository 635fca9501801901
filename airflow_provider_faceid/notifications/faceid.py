"""The notifier that tells a run in a few sentences, by mail, chat or whatever else Airflow notifies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.notifier import BaseNotifier

from ..exceptions import ConfigurationError
from ..operators.links import page_url
from ..process import safe_message
from ..report.message import REPORT_KEY, About, Message, compose, excerpt_of_run
from ..report.texts import LANGUAGES

if TYPE_CHECKING:
    from airflow.sdk import Context

VARIABLE = "faceid"
"""Name of the message in the context, for templates."""


class FaceIdNotifier(BaseNotifier):
    """
    Tell what a run has done, through another notifier.

    It makes the message and hands it on: the other notifier's templates, or a function's context, have it
    as ``faceid``, with ``faceid.title``, ``faceid.text``, ``faceid.html``, ``faceid.alerts`` (sentences)
    and ``faceid.numbers`` (a part of the report's JSON)::

        FaceIdNotifier(
            SmtpNotifier(to="kyc@example.com", subject="{{ faceid.title }}", html_content="{{ faceid.html }}")
        )

    It is a callback of a task or of a DAG: ``on_success_callback``, ``on_failure_callback`` and the others.
    Of a task it tells the task's own report, or rows and charges if the task verifies a table. Of a DAG, or
    of any other task, name the report's task in ``report_task_id``. It reads XComs and neither a warehouse
    nor a file, so it works in the DAG processor, where Airflow runs the callbacks of DAGs. Where nothing
    was left to tell it says so, with DAG, run and why it failed. No person and no key is in a message; the
    reason of a failure is the error's class alone, if its text may quote somebody.

    A notifier that fails is logged by Airflow, and changes neither the task nor the run.

    :param notifier: what sends the message: a notifier of Airflow, or a function of the context.
    :param report_task_id: the ``FaceIdReportOperator`` task that is told (templated); the callback's own
        task if not given.
    :param language: ``en`` or ``zh`` (templated).
    :param only_alerts: whether nothing is sent unless an alert is broken, or the task or run has failed.
    """

    template_fields: Sequence[str] = ("report_task_id", "language")

    def __init__(
        self,
        notifier: Callable[[Context], Any],
        *,
        report_task_id: str | None = None,
        language: Literal["en", "zh"] = "en",
        only_alerts: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(notifier):
            raise ConfigurationError(
                "notifier: it is a notifier such as SmtpNotifier(...), or a function of the context, not "
                f"{type(notifier).__name__}"
            )
        self.notifier = notifier
        self.report_task_id = report_task_id
        self.language = language
        self.only_alerts = only_alerts

    def notify(self, context: Context) -> None:
        """Make the message of a context and hand it on."""
        if self.language not in LANGUAGES:
            raise ConfigurationError(f"language={self.language!r}: it is 'en' or 'zh'")
        about = self._about(context)
        message = self._message(context, about)
        if self.only_alerts and not (message.alerts or about.is_failure):
            self.log.info("Nothing is sent: no alert is broken")
            return
        handed: Any = {**context, VARIABLE: message._asdict()}
        # A notifier renders its templates in place: the next message needs those that were given.
        copy(self.notifier)(handed)

    def _message(self, context: Context, about: About) -> Message:
        ti: Any = context.get("ti")
        told = self.report_task_id or about.task_id
        if ti is None or not told:
            return compose(None, about, self.language)
        index = ti.map_index if told == ti.task_id else -1
        found = ti.xcom_pull(key=REPORT_KEY, task_ids=told, map_indexes=index)
        if found:
            where = {"run_id": ti.run_id, "task_id": told, "map_index": index}
            about = about._replace(url=_link(dag_id=ti.dag_id, **where))
        else:
            found = excerpt_of_run(ti.xcom_pull(task_ids=told, map_indexes=index))
        return compose(found, about, self.language)

    def _about(self, context: Context) -> About:
        """Return which task or run it is about, and whether it has failed."""
        ti: Any = context.get("ti")
        reason: Any = context.get("reason")  # of callbacks of a DAG
        run_id = str(context.get("run_id") or getattr(ti, "run_id", ""))
        dag_id = str(getattr(context.get("dag") or ti, "dag_id", ""))
        if reason is not None or ti is None:
            is_failure = reason not in {None, "success"}
            return About(dag_id, run_id, is_failure=is_failure, error=str(reason or ""))
        error: Any = context.get("exception")
        return About(
            dag_id,
            run_id,
            str(ti.task_id),
            is_failure=error is not None or self._is_for_failures(context.get("task")),
            error=safe_message(error) if isinstance(error, BaseException) else "",
        )

    def _is_for_failures(self, task: Any) -> bool:
        """Say whether it is a callback of failures alone: of a killed task there is no exception."""
        kinds = {
            kind: any(one is self for one in _listed(getattr(task, f"on_{kind}_callback", None)))
            for kind in ("execute", "success", "skipped", "failure", "retry")
        }
        return any((kinds["failure"], kinds["retry"])) and not any(
            (kinds["execute"], kinds["success"], kinds["skipped"])
        )


def _listed(callbacks: Any) -> Sequence[Any]:
    """Return callbacks as a list, however they were given."""
    if callbacks is None:
        return ()
    return callbacks if isinstance(callbacks, list | tuple) else (callbacks,)


def _link(**task: Any) -> str:
    """Return the address of a report's page; empty where ``[api] base_url`` says no host."""
    url = page_url("report", **task)
    return url if url.startswith("http") else ""
