"""Operators for one person: for trying out, and for DAGs started by an event."""

# Written by codegen/generate.py from the Actions; `make docs` writes it anew.

from __future__ import annotations

from .actions.bank_card_2e_verification import BankCard2EVerificationOperator
from .actions.bank_card_4e_verification import BankCard4EVerificationOperator
from .actions.bank_card_verification import BankCardVerificationOperator
from .actions.check_bank_card_information import CheckBankCardInformationOperator
from .actions.check_id_name_date import CheckIdNameDateOperator
from .actions.id_card_verification import IdCardVerificationOperator
from .actions.image_recognition_v2 import ImageRecognitionV2Operator
from .actions.mobile_network_time_verification import MobileNetworkTimeVerificationOperator
from .actions.mobile_status import MobileStatusOperator
from .actions.phone_verification import PhoneVerificationOperator
from .verify_one import FaceIdVerifyOperator

__all__ = [
    "BankCard2EVerificationOperator",
    "BankCard4EVerificationOperator",
    "BankCardVerificationOperator",
    "CheckBankCardInformationOperator",
    "CheckIdNameDateOperator",
    "FaceIdVerifyOperator",
    "IdCardVerificationOperator",
    "ImageRecognitionV2Operator",
    "MobileNetworkTimeVerificationOperator",
    "MobileStatusOperator",
    "PhoneVerificationOperator",
]
