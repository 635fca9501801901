{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    campaign,
    action,
    source_key,
    rule,
    stage,
    question_hash,
    row_hash,
    request_id,
    found_at,
    dag_id,
    run_id,
    map_index,
    provider_version,
    updated_at
FROM {{ source('faceid', 'quarantine') }}
