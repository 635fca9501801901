{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
{{ config(enabled=var('faceid_has_review_log', false)) }}
SELECT
    review_id,
    number,
    campaign,
    action,
    source_key,
    event,
    actor,
    decision,
    assigned_to,
    status,
    at,
    origin,
    note,
    provider_version,
    updated_at
FROM {{ source('faceid', 'review_log') }}
