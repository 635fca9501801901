"""Hook methods, one for each Action: parameters with types, for completion and type checkers."""

# Written by codegen/generate.py from the Actions; `make docs` writes it anew.

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from datetime import date
from typing import TYPE_CHECKING

from ..api.messages import Fields
from ..process import without_frames
from .single_call import PER_DAG_RUN, Idempotency

if TYPE_CHECKING:
    from ..api.verdict import Verdict


class Checks:
    """Base of the hook: a method for each listed Action."""

    @abstractmethod
    def verify(
        self,
        action: str,
        values: Mapping[str, object],
        *,
        idempotency: Idempotency | None = PER_DAG_RUN,
        skip_rules: Collection[str] = (),
        priority: bool = False,
    ) -> Verdict:
        """Check some values by the input rules of an Action, and ask it about them."""

    @without_frames
    def bank_card_2e_verification(
        self,
        name: str,
        bank_card: str | int,
        *,
        idempotency: Idempotency | None = PER_DAG_RUN,
        skip_rules: Collection[str] = (),
        priority: bool = False,
    ) -> Verdict:
        """
        Ask whether name and bank card belong to the same person.

        :param name: the person's name.
        :param bank_card: bank card number of 12 to 19 digits; blanks and hyphens are fine.
        :param idempotency: as for :meth:`verify`.
        :param skip_rules: names of input rules that are not asked, such as ``name_missing_text``.
        :param priority: as for :meth:`verify`.
        :return: ``match``, ``mismatch``, ``invalid_input``, ``review`` or ``limit``.
        :raises InvalidInputError: a value breaks a rule; nothing was sent.
        :raises FaceIdError: there is no answer; the type says what to do next.
        """
        values = Fields(
            Name=name,
            BankCard=bank_card,
        )
        return self.verify(
            "BankCard2EVerification",
            values,
            idempotency=idempotency,
            skip_rules=skip_rules,
            priority=priority,
        )

    @without_frames
    def bank_card_4e_verification(
        self,
        name: str,
        bank_card: str | int,
        phone: str | int,
        id_card: str,
        *,
        idempotency: Idempotency | None = PER_DAG_RUN,
        skip_rules: Collection[str] = (),
        priority: bool = False,
    ) -> Verdict:
        """
        Ask whether name, ID number, phone number and bank card belong to the same
        person.

        :param name: the person's name.
        :param bank_card: bank card number of 12 to 19 digits; blanks and hyphens are fine.
        :param phone: number of a mobile phone in mainland China; blanks, hyphens and +86 are fine.
        :param id_card: ID number of 18 characters; full-width digits and a lower-case x are fine.
        :param idempotency: as for :meth:`verify`.
        :param skip_rules: names of input rules that are not asked, such as ``name_missing_text``.
        :param priority: as for :meth:`verify`.
        :return: ``match``, ``mismatch``, ``invalid_input``, ``review``, ``limit`` or
            ``not_found``.
        :raises InvalidInputError: a value breaks a rule; nothing was sent.
        :raises FaceIdError: there is no answer; the type says what to do next.
        """
        values = Fields(
            Name=name,
            BankCard=bank_card,
            Phone=phone,
            IdCard=id_card,
        )
        return self.verify(
            "BankCard4EVerification",
            values,
            idempotency=idempotency,
            skip_rules=skip_rules,
            priority=priority,
        )

    @without_frames
    def bank_card_verification(
        self,
        id_card: str,
        name: str,
        bank_card: str | int,
        *,
        idempotency: Idempotency | None = PER_DAG_RUN,
        skip_rules: Collection[str] = (),
        priority: bool = False,
    ) -> Verdict:
        """
        Ask whether name, ID number and bank card belong to the same person.

        :param id_card: ID number of 18 characters; full-width digits and a lower-case x are fine.
        :param name: the person's name.
        :param bank_card: bank card number of 12 to 19 digits; blanks and hyphens are fine.
        :param idempotency: as for :meth:`verify`.
        :param skip_rules: names of input rules that are not asked, such as ``name_missing_text``.
        :param priority: as for :meth:`verify`.
        :return: ``match``, ``mismatch``, ``invalid_input``, ``review``, ``limit`` or
            ``not_found``.
        :raises InvalidInputError: a value breaks a rule; nothing was sent.
        :raises FaceIdError: there is no answer; the type says what to do next.
        """
        values = Fields(
            IdCard=id_card,
            Name=name,
            BankCard=bank_card,
        )
        return self.verify(
            "BankCardVerification",
            values,
            idempotency=idempotency,
            skip_rules=skip_rules,
            priority=priority,
        )

    @without_frames
    def check_bank_card_information(
        self,
        bank_card: str | int,
        *,
        idempotency: Idempotency | None = PER_DAG_RUN,
        skip_rules: Collection[str] = (),
        priority: bool = False,
    ) -> Verdict:
        """
        Ask which bank has issued a card, and of which kind it is.

        :param bank_card: bank card number of 12 to 19 digits; blanks and hyphens are fine.
        :param idempotency: as for :meth:`verify`.
        :param skip_rules: names of input rules that are not asked, such as ``name_missing_text``.
        :param priority: as for :meth:`verify`.
        :return: ``found``, ``not_found``, ``limit`` or ``review``; ``outputs`` has
            ``account_bank``, ``account_type``.
        :raises InvalidInputError: a value breaks a rule; nothing was sent.
        :raises FaceIdError: there is no answer; the type says what to do next.
        """
        values = Fields(
            BankCard=bank_card,
        )
        return self.verify(
            "CheckBankCardInformation",
            values,
            idempotency=idempotency,
            skip_rules=skip_rules,
            priority=priority,
        )

    @without_frames
    def check_id_name_date(
        self,
        name: str,
        id_card: str,
        validity_begin: str | int | date,
        validity_end: str | int | date,
        *,
        idempotency: Idempotency | None = PER_DAG_RUN,
        skip_rules: Collection[str] = (),
        priority: bool = False,
    ) -> Verdict:
        """
        Ask whether name, ID number and validity are those of the person's ID card.

        :param name: the person's name.
        :param id_card: ID number of 18 characters; full-width digits and a lower-case x are fine.
        :param validity_begin: a date, or text such as ``20260131``.
        :param validity_end: a date, or text such as ``20460131``; ``00000000`` and ``长期`` say that
            there is none.
        :param idempotency: as for :meth:`verify`.
        :param skip_rules: names of input rules that are not asked, such as ``name_missing_text``.
        :param priority: as for :meth:`verify`.
        :return: ``match``, ``mismatch``, ``invalid_input``, ``review``, ``not_found`` or
            ``limit``.
        :raises InvalidInputError: a value breaks a rule; nothing was sent.
        :raises FaceIdError: there is no answer; the type says what to do next.
        """
        values = Fields(
            Name=name,
            IdCard=id_card,
            ValidityBegin=validity_begin,
            ValidityEnd=validity_end,
        )
        return self.verify(
            "CheckIdNameDate",
            values,
            idempotency=idempotency,
            skip_rules=skip_rules,
            priority=priority,
        )

    @without_frames
    def id_card_verification(
        self,
        id_card: str,
        name: str,
        *,
        idempotency: Idempotency | None = PER_DAG_RUN,
        skip_rules: Collection[str] = (),
        priority: bool = False,
    ) -> Verdict:
        """
        Ask whether name and ID number belong to the same person.

        :param id_card: ID number of 18 characters; full-width digits and a lower-case x are fine.
        :param name: the person's name.
        :param idempotency: as for :meth:`verify`.
        :param skip_rules: names of input rules that are not asked, such as ``name_missing_text``.
        :param priority: as for :meth:`verify`.
        :return: ``match``, ``mismatch``, ``invalid_input``, ``not_found`` or ``limit``.
        :raises InvalidInputError: a value breaks a rule; nothing was sent.
        :raises FaceIdError: there is no answer; the type says what to do next.
        """
        values = Fields(
            IdCard=id_card,
            Name=name,
        )
        return self.verify(
            "IdCardVerification",
            values,
            idempotency=idempotency,
            skip_rules=skip_rules,
            priority=priority,
        )

    @without_frames
    def image_recognition_v2(
        self,
        id_card: str,
        name: str,
        photo: bytes | str,
        extra: str | None = None,
        *,
        idempotency: Idempotency | None = PER_DAG_RUN,
        skip_rules: Collection[str] = (),
        priority: bool = False,
    ) -> Verdict:
        """
        Ask whether a photo shows the person registered under an ID number.

        :param id_card: ID number of 18 characters; full-width digits and a lower-case x are fine.
        :param name: the person's name.
        :param photo: a JPEG or PNG as bytes, or its Base64 text; at most 3 MB of text.
        :param extra: a note of at most 10 characters, which is no part of the question.
        :param idempotency: as for :meth:`verify`.
        :param skip_rules: names of input rules that are not asked, such as ``name_missing_text``.
        :param priority: as for :meth:`verify`.
        :return: ``match``, ``mismatch``, ``not_found``, ``invalid_input``, ``unusable_photo``,
            ``review`` or ``limit``, with a similarity of 0-100 where photos were compared.
        :raises InvalidInputError: a value breaks a rule; nothing was sent.
        :raises FaceIdError: there is no answer; the type says what to do next.
        """
        values = Fields(
            IdCard=id_card,
            Name=name,
            ImageBase64=photo,
            Extra=extra,
        )
        return self.verify(
            "ImageRecognitionV2",
            values,
            idempotency=idempotency,
            skip_rules=skip_rules,
            priority=priority,
        )

    @without_frames
    def mobile_network_time_verification(
        self,
        mobile: str | int,
        *,
        idempotency: Idempotency | None = PER_DAG_RUN,
        skip_rules: Collection[str] = (),
        priority: bool = False,
    ) -> Verdict:
        """
        Ask for how many months a phone number has been on its network.

        :param mobile: number of a mobile phone in mainland China; blanks, hyphens and +86 are fine.
        :param idempotency: as for :meth:`verify`.
        :param skip_rules: names of input rules that are not asked, such as ``name_missing_text``.
        :param priority: as for :meth:`verify`.
        :return: ``found``, ``invalid_input``, ``not_found`` or ``limit``; ``outputs`` has
            ``network_months``.
        :raises InvalidInputError: a value breaks a rule; nothing was sent.
        :raises FaceIdError: there is no answer; the type says what to do next.
        """
        values = Fields(
            Mobile=mobile,
        )
        return self.verify(
            "MobileNetworkTimeVerification",
            values,
            idempotency=idempotency,
            skip_rules=skip_rules,
            priority=priority,
        )

    @without_frames
    def mobile_status(
        self,
        mobile: str | int,
        *,
        idempotency: Idempotency | None = PER_DAG_RUN,
        skip_rules: Collection[str] = (),
        priority: bool = False,
    ) -> Verdict:
        """
        Ask in which state a phone number is on its network.

        :param mobile: number of a mobile phone in mainland China; blanks, hyphens and +86 are fine.
        :param idempotency: as for :meth:`verify`.
        :param skip_rules: names of input rules that are not asked, such as ``name_missing_text``.
        :param priority: as for :meth:`verify`.
        :return: ``found``, ``not_found``, ``invalid_input`` or ``limit``; ``outputs`` has
            ``status_code``.
        :raises InvalidInputError: a value breaks a rule; nothing was sent.
        :raises FaceIdError: there is no answer; the type says what to do next.
        """
        values = Fields(
            Mobile=mobile,
        )
        return self.verify(
            "MobileStatus",
            values,
            idempotency=idempotency,
            skip_rules=skip_rules,
            priority=priority,
        )

    @without_frames
    def phone_verification(
        self,
        id_card: str,
        name: str,
        phone: str | int,
        *,
        idempotency: Idempotency | None = PER_DAG_RUN,
        skip_rules: Collection[str] = (),
        priority: bool = False,
    ) -> Verdict:
        """
        Ask whether name, ID number and phone number belong to the same person.

        :param id_card: ID number of 18 characters; full-width digits and a lower-case x are fine.
        :param name: the person's name.
        :param phone: number of a mobile phone in mainland China; blanks, hyphens and +86 are fine.
        :param idempotency: as for :meth:`verify`.
        :param skip_rules: names of input rules that are not asked, such as ``name_missing_text``.
        :param priority: as for :meth:`verify`.
        :return: ``match``, ``mismatch``, ``invalid_input``, ``not_found`` or ``limit``;
            ``outputs`` has ``isp``.
        :raises InvalidInputError: a value breaks a rule; nothing was sent.
        :raises FaceIdError: there is no answer; the type says what to do next.
        """
        values = Fields(
            IdCard=id_card,
            Name=name,
            Phone=phone,
        )
        return self.verify(
            "PhoneVerification",
            values,
            idempotency=idempotency,
            skip_rules=skip_rules,
            priority=priority,
        )
