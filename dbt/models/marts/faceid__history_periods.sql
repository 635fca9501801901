{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    campaign AS campaign,
    action AS action,
    source_key AS source_key,
    answer_id AS answer_id,
    id_card_hash AS id_card_hash,
    outcome AS outcome,
    code AS code,
    similarity AS similarity,
    charged AS charged,
    answered_at AS valid_from,
    next_at AS valid_to,
    CASE WHEN next_at IS NULL THEN 1 ELSE 0 END AS is_current{{ faceid.own_columns(ref('stg_faceid__history')) }}
FROM (
    SELECT
        campaign,
        action,
        source_key,
        answer_id,
        id_card_hash,
        outcome,
        code,
        similarity,
        charged{{ faceid.own_columns(ref('stg_faceid__history')) }},
        answered_at,
        LEAD(answered_at) OVER (PARTITION BY source_key, action, campaign ORDER BY answered_at, updated_at, answer_id) AS next_at
    FROM {{ ref('stg_faceid__history') }} AS answer
    WHERE answer.answered_at IS NOT NULL
) AS periods
