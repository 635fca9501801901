"""The operators, all of which are public."""

from __future__ import annotations

from airflow_provider_faceid.operators.release import FaceIdReleaseOperator
from airflow_provider_faceid.operators.shards import FaceIdShardsOperator
from airflow_provider_faceid.operators.validate import FaceIdValidateOperator
from airflow_provider_faceid.operators.verify import (
    FaceIdVerifyOperator,
    IdCardVerificationOperator,
    ImageRecognitionV2Operator,
)
from airflow_provider_faceid.operators.verify_batch import (
    FaceIdVerifyTableOperator,
    IdCardVerificationBatchOperator,
    ImageRecognitionV2BatchOperator,
)

OPERATORS = (
    FaceIdReleaseOperator,
    FaceIdShardsOperator,
    FaceIdValidateOperator,
    FaceIdVerifyOperator,
    FaceIdVerifyTableOperator,
    IdCardVerificationBatchOperator,
    IdCardVerificationOperator,
    ImageRecognitionV2BatchOperator,
    ImageRecognitionV2Operator,
)
