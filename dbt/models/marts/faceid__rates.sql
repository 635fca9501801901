{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    verified_date AS verified_date,
    action AS action,
    COUNT(CASE WHEN 1 = 1 THEN 1 END) AS answers,
    COUNT(CASE WHEN answer.outcome = 'match' THEN 1 END) AS matched,
    COUNT(CASE WHEN answer.outcome = 'mismatch' THEN 1 END) AS mismatched,
    COUNT(CASE WHEN answer.outcome = 'found' THEN 1 END) AS found,
    COUNT(CASE WHEN answer.outcome = 'not_found' THEN 1 END) AS not_found,
    COUNT(CASE WHEN answer.outcome = 'review' THEN 1 END) AS review,
    COUNT(CASE WHEN answer.outcome IS NULL OR answer.outcome NOT IN ('match', 'mismatch', 'found', 'not_found', 'review') THEN 1 END) AS other_answers,
    COUNT(CASE WHEN answer.attempts > 0 THEN 1 END) AS calls,
    COUNT(CASE WHEN answer.charged = 1 THEN 1 END) AS charged,
    COUNT(CASE WHEN answer.charged IS NULL AND answer.attempts > 0 THEN 1 END) AS may_be_charged,
    CAST(COUNT(CASE WHEN answer.outcome = 'match' THEN 1 END) AS {{ faceid.real_type() }}) / NULLIF(CAST((COUNT(CASE WHEN answer.outcome = 'match' THEN 1 END) + COUNT(CASE WHEN answer.outcome = 'mismatch' THEN 1 END)) AS {{ faceid.real_type() }}), 0) AS match_rate,
    CAST((COUNT(CASE WHEN answer.outcome = 'match' THEN 1 END) + COUNT(CASE WHEN answer.outcome = 'mismatch' THEN 1 END)) AS {{ faceid.real_type() }}) / NULLIF(CAST((COUNT(CASE WHEN answer.outcome = 'match' THEN 1 END) + COUNT(CASE WHEN answer.outcome = 'mismatch' THEN 1 END) + COUNT(CASE WHEN answer.outcome = 'not_found' THEN 1 END)) AS {{ faceid.real_type() }}), 0) AS hit_rate,
    CAST(COUNT(CASE WHEN answer.outcome = 'review' THEN 1 END) AS {{ faceid.real_type() }}) / NULLIF(CAST(COUNT(CASE WHEN 1 = 1 THEN 1 END) AS {{ faceid.real_type() }}), 0) AS review_rate
FROM {{ ref('stg_faceid__history') }} AS answer
GROUP BY verified_date, action
