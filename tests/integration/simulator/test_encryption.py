"""Encrypted fields, from the hook's generic call to the local service's bill."""

from __future__ import annotations

from base64 import b64decode, b64encode
from functools import partial

import pytest
import requests

from airflow_provider_faceid.api.codes import Outcome
from airflow_provider_faceid.api.encryption import Encrypter, KmsEncrypter
from airflow_provider_faceid.exceptions import FatalError
from airflow_provider_faceid.simulator.people import FACE, ID_CARD
from tests.integration.hook.conftest import (
    _a_state_store_of_its_own,
    _no_settings_of_this_machine,
    airflow_has_warned,
    client,
    connect,
    hook,
    ledger,
    ordinary,
    photo,
    running,
    simulator,
)
from tests.support.patience import PATIENCE

__all__ = [
    "_a_state_store_of_its_own",
    "_no_settings_of_this_machine",
    "airflow_has_warned",
    "client",
    "connect",
    "hook",
    "ledger",
    "ordinary",
    "photo",
    "running",
    "simulator",
]

AES, SM4, KMS = FORMS = ("AES-256-CBC", "SM4-GCM", "KMS")


@pytest.fixture
def encrypters(simulator):
    """Return one for each form, with the keys the control plane shows."""
    keys = requests.get(f"{simulator.url}/_sim/keys", timeout=PATIENCE).json()
    return {
        AES: Encrypter(AES, keys[AES]),
        SM4: Encrypter(SM4, keys[SM4]),
        KMS: KmsEncrypter(keys[KMS]["Plaintext"], keys[KMS]["CiphertextBlob"]),
    }


@pytest.fixture
def ask(client, hook):
    """Return what calls through both clients."""
    return partial(client.ask, hook)


def params_of(encrypter, person, **more) -> dict[str, object]:
    """Return the request fields about a person, encrypted."""
    fields, encryption = encrypter.encrypt({"IdCard": person.id_card, "Name": person.name})
    return {**fields, **more, "Encryption": encryption}


@pytest.mark.parametrize("form", FORMS)
def test_an_encrypted_call_is_answered_and_billed(ask, encrypters, ordinary, ledger, form):
    sent = params_of(encrypters[form], ordinary)
    verdict = ask(ID_CARD, sent)
    (row,) = ledger()
    assert verdict.is_match
    assert (row["result"], row["charged"]) == ("0", True)
    assert row["id_card"] == ordinary.id_card != sent["IdCard"]


@pytest.mark.parametrize("form", FORMS)
def test_a_photo_goes_with_encrypted_fields(ask, encrypters, ordinary, photo, form):
    sent = params_of(encrypters[form], ordinary, ImageBase64=b64encode(photo))
    verdict = ask(FACE, sent)
    assert (verdict.outcome, verdict.similarity) == (Outcome.MATCH, 100)


@pytest.mark.parametrize("form", FORMS)
def test_a_number_may_be_encrypted_alone(hook, encrypters, ordinary, form):
    fields, encryption = encrypters[form].encrypt({"IdCard": ordinary.id_card})
    sent = {**fields, "Name": ordinary.name, "Encryption": encryption}
    assert hook.call(ID_CARD, sent).is_match


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_name_is_a_mismatch_as_ever(hook, encrypters, ordinary, form):
    fields, encryption = encrypters[form].encrypt({"IdCard": ordinary.id_card, "Name": "李四"})
    verdict = hook.call(ID_CARD, {**fields, "Encryption": encryption})
    assert (verdict.outcome, verdict.charged) == (Outcome.MISMATCH, True)


@pytest.mark.parametrize("form", FORMS)
def test_many_calls_are_read_one_by_one(hook, simulator, encrypters, form):
    people = [person for person in simulator.account.people.listed if not person.persona]
    verdicts = [hook.call(ID_CARD, params_of(encrypters[form], person)) for person in people]
    assert len(people) > 20
    assert all(verdict.is_match for verdict in verdicts)


def flip(text: str) -> str:
    """Return Base64 text with a bit of its last byte changed."""
    data = bytearray(b64decode(text))
    data[-1] ^= 1
    return b64encode(data).decode()


def damage(sent: dict[str, object], part: str) -> dict[str, object]:
    """Return request fields with one byte of a field or of the key, IV or tag changed."""
    encryption = dict(sent["Encryption"])
    if part in sent:
        return {**sent, part: flip(sent[part])}
    value = encryption[part]
    encryption[part] = [flip(tag) for tag in value] if isinstance(value, list) else flip(value)
    return {**sent, "Encryption": encryption}


DAMAGED = [
    *((AES, part) for part in ("IdCard", "Name", "CiphertextBlob")),
    *((SM4, part) for part in ("IdCard", "Name", "CiphertextBlob", "Iv", "TagList")),
]


@pytest.mark.parametrize("damaged", DAMAGED, ids=" ".join)
def test_a_changed_byte_ends_the_run_and_costs_nothing(ask, encrypters, ordinary, ledger, damaged):
    form, part = damaged
    sent = damage(params_of(encrypters[form], ordinary), part)
    with pytest.raises(FatalError) as caught:
        ask(ID_CARD, sent)
    (row,) = ledger()
    assert caught.value.code == row["error"] == "FailedOperation.DecryptSystemError"
    assert (row["charged"], caught.value.request_id) == (False, row["request_id"])
    assert ordinary.id_card not in str(caught.value)
    assert ordinary.name not in str(caught.value)


def test_a_changed_iv_of_aes_256_cbc_is_a_wrong_number(hook, encrypters, ordinary, ledger):
    """CBC cannot tell: the check digit of the number does, or the service's library."""
    fields, encryption = encrypters[AES].encrypt({"IdCard": ordinary.id_card})
    sent = {**fields, "Name": ordinary.name, "Encryption": encryption}
    assert hook.call(ID_CARD, damage(sent, "Iv")).code == "-2"
    assert [row["charged"] for row in ledger()] == [False]


@pytest.mark.parametrize("form", [AES, SM4])
def test_keys_of_another_account_are_refused(hook, ordinary, form):
    with pytest.raises(FatalError) as caught:
        hook.call(ID_CARD, params_of(Encrypter(form), ordinary))  # with the published keys
    assert caught.value.code == "FailedOperation.DecryptSystemError"


def test_a_field_that_cannot_be_encrypted_is_named_by_a_code(hook, encrypters, ordinary, photo):
    sent = params_of(encrypters[AES], ordinary, ImageBase64=b64encode(photo))
    sent["Encryption"]["EncryptList"] = ["IdCard", "Name", "ImageBase64"]
    with pytest.raises(FatalError) as caught:
        hook.call(FACE, sent)
    assert caught.value.code == "InvalidParameter.UnsupportEncryptField"


def test_keys_survive_a_reset(simulator, encrypters, hook, ordinary):
    requests.post(f"{simulator.url}/_sim/reset", timeout=PATIENCE).raise_for_status()
    simulator.account.windows.quotas.update({ID_CARD: 0})
    assert hook.call(ID_CARD, params_of(encrypters[SM4], ordinary)).is_match
