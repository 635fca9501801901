"""The ways to encrypt, as a connection to the local service has them."""

from __future__ import annotations

from airflow_provider_faceid.simulator import SimulatorServer

AES, SM4, KMS = FORMS = ("AES-256-CBC", "SM4-GCM", "KMS")


def fields_of(server: SimulatorServer) -> dict[str, dict[str, str]]:
    """Return the fields of a connection for each way, with the service's own keys."""
    keys = server.account.encryption_keys.published()
    kms = {
        "kms_secret": keys[KMS]["Plaintext"],
        "kms_ciphertext_blob": keys[KMS]["CiphertextBlob"],
    }
    ways = {form: {"encryption_public_key": keys[form]} for form in (AES, SM4)} | {KMS: kms}
    return {form: {"encryption": form, **fields} for form, fields in ways.items()}


def wrong_key(form: str) -> dict[str, str]:
    """Return the fields to change for a key that is none of the service's: another account's."""
    if form == KMS:
        return {"kms_secret": "A" * 43 + "="}
    return {"encryption_public_key": ""}  # the published one, which the local service has not
