"""The operator that exports a campaign to Parquet files, an Iceberg table or a Delta table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator

from ..clock import SYSTEM_CLOCK
from ..compat import default_campaign, task_instance
from ..exceptions import ConfigurationError, counted
from ..process import without_frames
from ._common import describe_outlets, manifest_on_failure, read_parameters
from .error_mapping import airflow_errors
from .lineage import ReportsLineage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from ..warehouse.export.batches import Exported, ExportReader, Selection

EVERY_SECONDS = 5.0
"""Seconds between two lines about the progress in the log."""


class FaceIdExportOperator(ReportsLineage, BaseOperator):
    """
    Export the rows of a campaign to Parquet files, an Iceberg table or a Delta table.

    It makes no call. What the target has of the campaign is replaced, other campaigns are left alone: an
    export can be repeated, and one that was killed begins again and ends with the same rows. A campaign
    without rows is removed from the target; a target that is not there is not made for it. The target
    is partitioned by ``campaign`` and ``action``. Columns, types and their descriptions come from the
    definitions of our tables; timestamps are in UTC, with microseconds.

    Rows are read in pages, and each page is as of its own moment: export after the runs, not beside
    them. In a Delta or Iceberg table readers see the rows of the export before until the commit; a
    commit that meets another one is repeated, up to five times. Of Parquet files there is one for each
    Action, replaced in one step each, so that of an Action readers see the rows of the one export or of
    the other.

    :param warehouse_conn_id: connection of the result table (templated).
    :param format: ``parquet``, ``iceberg`` or ``delta`` (templated).
    :param path: folder of the Parquet files or of the Delta table, a local path or a URL as for
        ``ObjectStoragePath`` (templated). Each table needs a folder of its own.
    :param storage_conn_id: connection of the object store (templated); that in the URL, else the
        environment's credentials, if not given. For Delta and Iceberg a connection of type ``aws`` is
        translated; the Extra of others holds the options of deltalake or pyiceberg by their names.
    :param iceberg_table: the Iceberg table: namespace and name with a dot between (templated).
    :param catalog: properties of the Iceberg catalog, as pyiceberg names them, such as ``type`` and
        ``warehouse`` (templated). ``name`` is the catalog's name in pyiceberg's own configuration.
        Secrets belong into a connection.
    :param catalog_conn_id: connection whose Extra holds more properties of the catalog (templated). Its
        host is the ``uri``, login and password are the ``credential``.
    :param table: what to export: ``results``, ``history``, ``quarantine``, ``runs`` or ``checks``
        (templated).
    :param campaign: campaign of the rows (templated); the DAG id if not given.
    :param actions: API Actions of the rows (templated); all if not given. Rows of others are left alone
        at the target.
    :param other_columns: columns you added to the table, which are exported as text (templated); none
        if not given.
    :param result_table: the result table (templated); history and checks are named after it.
    :param quarantine_table: the quarantine table (templated).
    :param run_table: the table of runs (templated).
    :return: through XCom, the counts of rows, by Action, too, the target, and the version of a Delta table
        or the snapshot of an Iceberg table.
    """

    template_fields: Sequence[str] = (
        "warehouse_conn_id",
        "format",
        "path",
        "storage_conn_id",
        "iceberg_table",
        "catalog",
        "catalog_conn_id",
        "table",
        "campaign",
        "actions",
        "other_columns",
        "result_table",
        "quarantine_table",
        "run_table",
    )
    template_ext: Sequence[str] = (".sql",)
    ui_color = "#e8eaed"
    lineage_kind = "export"
    lineage_catalog: Mapping[str, str] | None = None

    def __init__(
        self,
        *,
        warehouse_conn_id: str,
        format: Literal["parquet", "iceberg", "delta"] = "parquet",  # noqa: A002 - as users know it
        path: str | None = None,
        storage_conn_id: str | None = None,
        iceberg_table: str | None = None,
        catalog: Mapping[str, str] | None = None,
        catalog_conn_id: str | None = None,
        table: Literal["results", "history", "quarantine", "runs", "checks"] = "results",
        campaign: str | None = None,
        actions: Sequence[str] | None = None,
        other_columns: Sequence[str] = (),
        result_table: str = "faceid_results",
        quarantine_table: str = "faceid_quarantine",
        run_table: str = "faceid_runs",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.warehouse_conn_id = warehouse_conn_id
        self.format = format
        self.path = path
        self.storage_conn_id = storage_conn_id
        self.iceberg_table = iceberg_table
        self.catalog = catalog
        self.catalog_conn_id = catalog_conn_id
        self.table = table
        self.campaign = campaign
        self.actions = actions
        self.other_columns = other_columns
        self.result_table = result_table
        self.quarantine_table = quarantine_table
        self.run_table = run_table

    @without_frames
    def execute(self, context: Context) -> dict[str, Any]:
        """Export, and return the counts."""
        manifest: dict[str, Any] = {}
        with airflow_errors(), manifest_on_failure(context, lambda: manifest):
            read_parameters(self, "warehouse_conn_id")
            self._check_target()
            selection = self._selection(self.campaign or default_campaign(context))
            manifest |= {
                "format": self.format,
                "target": self.iceberg_table if self.format == "iceberg" else self.path,
                "table": self.table,
                "campaign": selection.campaign,
            }
            began = SYSTEM_CLOCK.monotonic()
            exported = self._export(selection, task_instance(context))
            manifest |= {
                "rows": sum(exported.rows.values()),
                "rows_by_action": dict(exported.rows),
                "version": exported.version,
                "seconds": round(SYSTEM_CLOCK.monotonic() - began, 3),
            }
        self._log_summary(manifest)
        describe_outlets(context, self.outlets, manifest)
        return manifest

    def _check_target(self) -> None:
        from ..hooks.lakes import require_export  # noqa: PLC0415 - keeps reading a DAG file cheap

        needed = "iceberg_table" if self.format == "iceberg" else "path"
        if not getattr(self, needed):
            raise ConfigurationError(
                f"Format '{self.format}' needs {needed}: say where to export to"
            )
        if self.format == "iceberg" and "." not in str(self.iceberg_table):
            raise ConfigurationError(
                "iceberg_table: write namespace and name with a dot between, such as 'kyc.results'"
            )
        require_export(self.format)

    def _selection(self, campaign: str) -> Selection:
        from ..warehouse.export.batches import TABLES, Selection  # noqa: PLC0415 - keeps a DAG file cheap
        from ..warehouse.names import Names  # noqa: PLC0415 - the same

        definition, name_in = TABLES[self.table]
        names = Names(self.result_table, self.quarantine_table, self.run_table)
        return Selection(
            definition,
            name_in(names),
            campaign,
            tuple(self.actions or ()),
            tuple(self.other_columns),
        )

    def _export(self, selection: Selection, owner: str) -> Exported:
        from ..hooks.warehouses import database  # noqa: PLC0415 - keeps reading a DAG file cheap
        from ..warehouse.export.batches import ExportReader  # noqa: PLC0415 - the same

        last = SYSTEM_CLOCK.monotonic()

        def report(rows: int) -> None:
            nonlocal last
            if SYSTEM_CLOCK.monotonic() - last >= EVERY_SECONDS:
                last = SYSTEM_CLOCK.monotonic()
                self.log.info(
                    "Exporting campaign '%s': %s", selection.campaign, counted(rows, "row")
                )

        with ExportReader(database(self.warehouse_conn_id), selection, report) as reader:
            return self._write(reader, owner)

    def _write(self, reader: ExportReader, owner: str) -> Exported:
        from ..hooks import lakes  # noqa: PLC0415 - keeps reading a DAG file cheap

        if self.format == "iceberg":
            from ..warehouse.export.iceberg import write_iceberg  # noqa: PLC0415 - the same

            properties = lakes.catalog_properties(
                self.catalog or {}, self.catalog_conn_id, self.storage_conn_id
            )
            self.lineage_catalog = properties
            name = properties.pop("name", "default")
            return write_iceberg(reader, name, str(self.iceberg_table), properties)
        if self.format == "delta":
            from ..warehouse.export.delta import write_delta  # noqa: PLC0415 - the same

            return write_delta(reader, *lakes.delta_table(str(self.path), self.storage_conn_id))
        from ..warehouse.export.parquet import write_parquet  # noqa: PLC0415 - the same

        return write_parquet(reader, lakes.place(str(self.path), self.storage_conn_id), owner)

    def _log_summary(self, manifest: Mapping[str, Any]) -> None:
        said = (
            f"{counted(manifest['rows'], 'row')} of campaign '{manifest['campaign']}' exported to "
            f"{manifest['target']} as {manifest['format']} in {manifest['seconds']:.1f} s"
        )
        if manifest["rows"]:
            self.log.info("%s", said)
        else:
            self.log.warning("%s: there are none, and none at the target now", said)
