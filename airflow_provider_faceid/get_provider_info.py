"""What Airflow reads of this package: the connection form, the commands and the list of modules.

A literal without imports: Airflow calls it on every start, of every process. The form fields below
are their own only source; the hook's settings and the older Python form are derived from them.
"""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata, in the form of Airflow's ``provider_info.schema.json``."""
    integration = "Tencent Cloud Face ID"
    package = "airflow_provider_faceid"
    return {
        "package-name": "airflow-provider-faceid",
        "name": "Tencent Cloud Face ID",
        "description": "Identity verification with the Tencent Cloud Face ID API.",
        "integrations": [
            {
                "integration-name": integration,
                "external-doc-url": "https://www.tencentcloud.com/document/product/1061",
                "tags": ["service"],
            }
        ],
        "hooks": [
            {"integration-name": integration, "python-modules": [f"{package}.hooks.faceid"]},
        ],
        "operators": [
            {
                "integration-name": integration,
                "python-modules": [
                    f"{package}.operators.check_results",
                    f"{package}.operators.export",
                    f"{package}.operators.forget",
                    f"{package}.operators.funnel",
                    f"{package}.operators.reconcile",
                    f"{package}.operators.release",
                    f"{package}.operators.review_decide",
                    f"{package}.operators.review_queue",
                    f"{package}.operators.report",
                    f"{package}.operators.shards",
                    f"{package}.operators.validate",
                    f"{package}.operators.verify",
                    f"{package}.operators.verify_batch",
                    f"{package}.operators.views",
                ],
            }
        ],
        "cli": [f"{package}.cli.commands.get_faceid_commands"],
        "notifications": [f"{package}.notifications.faceid.FaceIdNotifier"],
        "extra-links": [
            f"{package}.operators.links.FaceIdReportLink",
            f"{package}.operators.links.FaceIdRunLink",
        ],
        "config": {
            "faceid": {
                "description": "Tencent Cloud Face ID",
                "options": {
                    "state_conn_id": {
                        "description": "Connection of the database in which all workers keep the "
                        "pace of an account, where neither the operator nor the Face ID connection "
                        "names one. Empty: a SQLite file in AIRFLOW_HOME.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "faceid_state",
                        "default": "",
                    },
                    "ledger_survives": {
                        "description": "What the ledger of paid calls outlives. power_loss: each "
                        "of its steps waits for the disk, about five times a second. process_kill: "
                        "none does, and a power cut may forget calls of the last moments, which "
                        "are then made and paid again.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "process_kill",
                        "default": "power_loss",
                    },
                    "keep_answers_days": {
                        "description": "For how many days the ledger keeps answers, which take "
                        "about 400 bytes each. Bounds the operators' reuse_within.",
                        "version_added": "0.1.0",
                        "type": "integer",
                        "example": "365",
                        "default": "90",
                    },
                    "pages_warehouses": {
                        "description": "Connections of the warehouses that the pages under Browse > "
                        "Face ID show, separated by commas. Or, for tables of other names, a JSON list "
                        "of objects with conn_id, result_table, quarantine_table and run_table. Read "
                        "by the api-server. Empty: none are shown.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "my_warehouse",
                        "default": "",
                    },
                    "report_roots": {
                        "description": "Folders and URLs below which the api-server may read reports, "
                        "to show them under Browse > Face ID, separated by commas. Empty: none are read.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/reports,s3://conn@bucket/reports",
                        "default": "",
                    },
                    "photo_roots": {
                        "description": "Folders and URLs below which operators may read photos "
                        "that are given by path, separated by commas. Empty: none are read.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "/photos,s3://conn@bucket/photos",
                        "default": "",
                    },
                },
            }
        },
        "connection-types": [
            {
                "connection-type": "faceid",
                "hook-class-name": f"{package}.hooks.faceid.FaceIdHook",
                "hook-name": "Tencent Cloud Face ID",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema"],
                    "relabeling": {
                        "login": "SecretId",
                        "password": "SecretKey",
                        "host": "Endpoint",
                        "port": "Port (443)",
                    },
                    "placeholders": {
                        "host": "faceid.intl.tencentcloudapi.com",
                        "port": "443",
                        "login": "SecretId of an API key",
                    },
                },
                "conn-fields": {
                    "session_token": {
                        "label": "Temporary token",
                        "description": "Only for temporary (STS) keys.",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "credentials": {
                        "label": "Credential source",
                        "description": "static: SecretId and SecretKey above. environment: "
                        "TENCENTCLOUD_SECRET_ID, _KEY and TENCENTCLOUD_TOKEN of the worker. "
                        "profile: its file ~/.tencentcloud/credentials, else "
                        "/etc/tencentcloud/credentials. cvm_role: the role of its CVM instance. "
                        "tke_oidc: the role of its TKE pod. default: the first of these four that "
                        "has a key. Empty: static.",
                        "schema": {
                            "type": ["string", "null"],
                            "enum": [
                                "static",
                                "environment",
                                "profile",
                                "cvm_role",
                                "tke_oidc",
                                "default",
                            ],
                        },
                    },
                    "credentials_name": {
                        "label": "Profile or role name",
                        "description": "With profile: the section of the file. Empty: default. "
                        "With cvm_role: the name of the role. Empty: the one the instance has.",
                        "schema": {"type": ["string", "null"], "maxLength": 128},
                    },
                    "role_arn": {
                        "label": "Role to assume",
                        "description": "Calls are made as this role, for example "
                        "qcs::cam::uin/100000000001:roleName/faceid. STS is asked for it with the "
                        "keys chosen above. Empty: calls are made with those keys.",
                        "schema": {"type": ["string", "null"], "maxLength": 512},
                    },
                    "role_external_id": {
                        "label": "External id of the role",
                        "description": "Only if the role asks for one.",
                        "schema": {"type": ["string", "null"], "minLength": 2, "maxLength": 128},
                    },
                    "role_duration": {
                        "label": "Duration of role keys",
                        "description": "Seconds for which STS is asked to give a key: of the role "
                        "to assume, or of the TKE pod. Empty: 7200.",
                        "schema": {"type": ["integer", "null"], "minimum": 900, "maximum": 43200},
                    },
                    "sts_endpoint": {
                        "label": "STS endpoint",
                        "description": "Where role keys are asked for. Empty: "
                        "sts.intl.tencentcloudapi.com.",
                        "schema": {"type": ["string", "null"], "maxLength": 200},
                    },
                    # Airflow masks a field whose name says secret, whatever its format is.
                    "hash_secret": {
                        "label": "Hash key",
                        "description": "Keys the hashes by which a person is known again, 16 "
                        "characters or more. Needed with temporary keys and with keys from elsewhere. "
                        "Under another one every person is new, and paid again. Empty: the "
                        "SecretKey.",
                        "schema": {
                            "type": ["string", "null"],
                            "format": "password",
                            "minLength": 16,
                            "maxLength": 200,
                        },
                    },
                    "region": {
                        "label": "Region",
                        "description": "Sent as X-TC-Region. No Action needs it.",
                        "schema": {"type": ["string", "null"], "maxLength": 40},
                    },
                    "quotas": {
                        "label": "Quotas",
                        "description": "Calls per second your account may make, by Action, where they "
                        'differ from the documented ones. JSON, for example {"IdCardVerification": '
                        "200}.",
                        "schema": {"type": ["object", "null"]},
                    },
                    "identity_limits": {
                        "label": "Identity limits",
                        "description": "How often one person may be asked about, where your "
                        "account's limits differ from the documented ones. JSON, for example "
                        '{"ImageRecognitionV2": {"id_card_per_day": 30, "id_card_per_minute": 15, '
                        '"name_per_day": 500, "name_per_minute": 0}}; 0 is no limit.',
                        "schema": {"type": ["object", "null"]},
                    },
                    "pace_share": {
                        "label": "Target utilisation",
                        "description": "From 0.01 to 1. Empty: 0.97.",
                        "schema": {"type": ["number", "null"], "minimum": 0.01, "maximum": 1},
                    },
                    "priority_share": {
                        "label": "Priority share",
                        "description": "Share of the pace that single calls with priority may have "
                        "while a table is verified, from 0 to 0.8; the table has the rest. Empty: 0.2.",
                        "schema": {"type": ["number", "null"], "minimum": 0, "maximum": 0.8},
                    },
                    "state_conn_id": {
                        "label": "State store connection id",
                        "description": "Connection of the database in which all workers keep the "
                        "pace: PostgreSQL when they are on several hosts. Empty: a SQLite file in "
                        "AIRFLOW_HOME.",
                        "schema": {"type": ["string", "null"], "maxLength": 200},
                    },
                    "timeout": {
                        "label": "Timeout",
                        "description": "Seconds for one request, the whole answer included; for a photo "
                        "counted from its last byte, before which the network must take some of it every "
                        "so many seconds. At most the deadline. Empty: 30, or the deadline if that is less.",
                        "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 300},
                    },
                    "connect_timeout": {
                        "label": "Connect timeout",
                        "description": "Seconds for DNS, connecting and TLS; at most half of the timeout. "
                        "Empty: 5, or half of the timeout if that is less.",
                        "schema": {"type": ["number", "null"], "minimum": 0.1, "maximum": 60},
                    },
                    "deadline": {
                        "label": "Deadline",
                        "description": "Seconds for one call with all its repetitions and pauses, "
                        "counted from its first request; uploads of photos are left out. Empty: 120, or the timeout if that is more.",
                        "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 3600},
                    },
                    "max_attempts": {
                        "label": "Max attempts",
                        "description": "Requests for one answer while the service is unavailable, as far "
                        "as the deadline allows. Calls that may have been charged are never repeated. Empty: 6.",
                        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 10},
                    },
                    "repeat_gateway_errors": {
                        "label": "Repeat gateway errors",
                        "description": "Only if the gateway in front of the service never forwards "
                        "a call that it answers with HTTP 502 or 503: such calls are repeated then. "
                        "Otherwise they may have been charged, and are held. Empty: no.",
                        "schema": {"type": ["boolean", "null"], "default": False},
                    },
                    "outage_patience": {
                        "label": "Outage timeout (s)",
                        "description": "Seconds a run over a table waits while the service "
                        "answers no call, before it gives up; 60 at most while each request may be "
                        "charged without an answer. Empty: 900.",
                        "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 86400},
                    },
                    "similarity_threshold": {
                        "label": "Similarity threshold",
                        "description": "A face match below it is 'review'. Empty: 70.",
                        "schema": {"type": ["number", "null"], "minimum": 0, "maximum": 100},
                    },
                    "id_card_check": {
                        "label": "ID number check",
                        "description": "What is asked of a number before it is sent. strict: "
                        "province, birth date and check digit too; format: length and "
                        "characters only. Empty: strict.",
                        "schema": {"type": ["string", "null"], "enum": ["strict", "format"]},
                    },
                    "encryption": {
                        "label": "Encryption",
                        "description": "How ID numbers, names, phone and card numbers are encrypted, "
                        "over and above TLS. AES-256-CBC is the better choice; KMS is the older form "
                        "of accounts that have it. Empty: none.",
                        "schema": {
                            "type": ["string", "null"],
                            "enum": ["none", "AES-256-CBC", "SM4-GCM", "KMS"],
                        },
                    },
                    "encryption_public_key": {
                        "label": "Encryption public key",
                        "description": "The service's public key for your account: RSA for "
                        "AES-256-CBC, SM2 for SM4-GCM, as PEM or its Base64. Empty: the published "
                        "one.",
                        "schema": {
                            "type": ["string", "null"],
                            "format": "multiline",
                            "maxLength": 4000,
                        },
                    },
                    "kms_secret": {
                        "label": "KMS data key",
                        "description": "Only with KMS: Plaintext of GenerateDataKey, the Base64 of "
                        "32 bytes.",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "kms_ciphertext_blob": {
                        "label": "KMS ciphertext blob",
                        "description": "Only with KMS: CiphertextBlob of the same GenerateDataKey.",
                        "schema": {"type": ["string", "null"], "maxLength": 4000},
                    },
                    "language": {
                        "label": "Language of descriptions",
                        "description": "Sent as X-TC-Language. Empty: en-US.",
                        "schema": {"type": ["string", "null"], "enum": ["en-US", "zh-CN"]},
                    },
                    "verify": {
                        "label": "Verify TLS certificate",
                        "description": "Switch off only against a test server.",
                        "schema": {"type": ["boolean", "null"], "default": True},
                    },
                    "proxies": {
                        "label": "Proxies",
                        "description": 'JSON, for example {"https": "http://proxy:3128"}. HTTP and '
                        "HTTPS proxies only.",
                        "schema": {"type": ["object", "null"]},
                    },
                },
            }
        ],
    }
