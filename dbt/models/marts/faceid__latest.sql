{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    answer.campaign AS campaign,
    answer.action AS action,
    answer.source_key AS source_key,
    answer.source AS source,
    answer.question_hash AS question_hash,
    answer.row_hash AS row_hash,
    answer.id_card_hash AS id_card_hash,
    answer.id_card_masked AS id_card_masked,
    answer.outcome AS outcome,
    answer.code AS code,
    answer.similarity AS similarity,
    answer.charged AS charged,
    answer.description AS description,
    answer.request_id AS request_id,
    answer.attempts AS attempts,
    answer.latency_ms AS latency_ms,
    answer.waited_ms AS waited_ms,
    answer.answered_at AS answered_at,
    answer.verified_date AS verified_date,
    answer.dag_id AS dag_id,
    answer.run_id AS run_id,
    answer.map_index AS map_index,
    answer.provider_version AS provider_version,
    answer.updated_at AS updated_at,
    review.reason AS review_reason,
    review.status AS review_status,
    CASE WHEN review.status = 'resolved' THEN review.decision END AS review_decision,
    CASE WHEN review.status = 'resolved' THEN COALESCE(review.second_at, review.decided_at) END AS reviewed_at{{ faceid.own_columns(ref('stg_faceid__results')) }}
FROM (
    SELECT
        campaign,
        action,
        source_key,
        ROW_NUMBER() OVER (PARTITION BY source_key, action, source ORDER BY answered_at DESC, updated_at DESC, campaign DESC) AS place
    FROM {{ ref('stg_faceid__results') }}
    WHERE status = 'answered'
) AS newest
JOIN {{ ref('stg_faceid__results') }} AS answer ON answer.campaign = newest.campaign AND answer.action = newest.action AND answer.source_key = newest.source_key
LEFT JOIN {{ ref('stg_faceid__reviews') }} AS review ON review.campaign = answer.campaign AND review.action = answer.action AND review.source_key = answer.source_key AND review.answered_at = answer.answered_at
WHERE newest.place = 1
