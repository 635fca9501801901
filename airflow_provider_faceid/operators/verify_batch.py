"""Operators for a whole table: every row answered once."""

# Written by codegen/generate.py from the Actions; `make docs` writes it anew.

from __future__ import annotations

from .actions.bank_card_2e_verification import BankCard2EVerificationBatchOperator
from .actions.bank_card_4e_verification import BankCard4EVerificationBatchOperator
from .actions.bank_card_verification import BankCardVerificationBatchOperator
from .actions.check_bank_card_information import CheckBankCardInformationBatchOperator
from .actions.check_id_name_date import CheckIdNameDateBatchOperator
from .actions.id_card_verification import IdCardVerificationBatchOperator
from .actions.image_recognition_v2 import ImageRecognitionV2BatchOperator
from .actions.mobile_network_time_verification import MobileNetworkTimeVerificationBatchOperator
from .actions.mobile_status import MobileStatusBatchOperator
from .actions.phone_verification import PhoneVerificationBatchOperator
from .verify_table import FaceIdVerifyTableOperator

__all__ = [
    "BankCard2EVerificationBatchOperator",
    "BankCard4EVerificationBatchOperator",
    "BankCardVerificationBatchOperator",
    "CheckBankCardInformationBatchOperator",
    "CheckIdNameDateBatchOperator",
    "FaceIdVerifyTableOperator",
    "IdCardVerificationBatchOperator",
    "ImageRecognitionV2BatchOperator",
    "MobileNetworkTimeVerificationBatchOperator",
    "MobileStatusBatchOperator",
    "PhoneVerificationBatchOperator",
]
