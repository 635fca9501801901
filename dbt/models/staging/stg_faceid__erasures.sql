{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
{{ config(enabled=var('faceid_has_erasures', false)) }}
SELECT
    receipt_id,
    erased_by,
    requested_by,
    reference,
    began_at,
    erased_at,
    finished_at,
    is_rewritten,
    source_keys,
    results,
    history,
    answers_kept,
    in_doubt_kept,
    quarantine,
    reviews,
    review_log,
    reconciliation,
    calls,
    counters,
    provider_version,
    updated_at
FROM {{ source('faceid', 'erasures') }}
