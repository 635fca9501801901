"""The operators, all of which are public."""

from __future__ import annotations

from airflow_provider_faceid.operators import verify, verify_batch
from airflow_provider_faceid.operators.check_results import FaceIdCheckResultsOperator
from airflow_provider_faceid.operators.export import FaceIdExportOperator
from airflow_provider_faceid.operators.forget import FaceIdForgetOperator
from airflow_provider_faceid.operators.funnel import FaceIdFunnelOperator
from airflow_provider_faceid.operators.reconcile import FaceIdReconcileOperator
from airflow_provider_faceid.operators.release import FaceIdReleaseOperator
from airflow_provider_faceid.operators.report import FaceIdReportOperator
from airflow_provider_faceid.operators.review_decide import FaceIdDecideReviewOperator
from airflow_provider_faceid.operators.review_queue import (
    FaceIdOpenReviewsOperator,
    FaceIdQueueReviewsOperator,
)
from airflow_provider_faceid.operators.shards import FaceIdShardsOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.views import FaceIdViewsOperator

OPERATORS = (
    FaceIdCheckResultsOperator,
    FaceIdExportOperator,
    FaceIdForgetOperator,
    FaceIdFunnelOperator,
    FaceIdReconcileOperator,
    FaceIdReleaseOperator,
    FaceIdReportOperator,
    FaceIdDecideReviewOperator,
    FaceIdOpenReviewsOperator,
    FaceIdQueueReviewsOperator,
    FaceIdShardsOperator,
    FaceIdValidateOperator,
    FaceIdViewsOperator,
    *(getattr(verify, name) for name in verify.__all__),
    *(getattr(verify_batch, name) for name in verify_batch.__all__),
)
