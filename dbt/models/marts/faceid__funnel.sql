{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    campaign AS campaign,
    action AS action,
    matched + mismatched + found + not_found + review + other_answers + quarantined + postponed + held AS rows_in,
    matched AS matched,
    mismatched AS mismatched,
    found AS found,
    not_found AS not_found,
    review AS review,
    other_answers AS other_answers,
    quarantined AS quarantined,
    postponed AS postponed,
    held AS held,
    first_pass AS first_pass,
    CAST(matched AS {{ faceid.real_type() }}) / NULLIF(CAST((matched + mismatched) AS {{ faceid.real_type() }}), 0) AS match_rate,
    CAST((matched + mismatched) AS {{ faceid.real_type() }}) / NULLIF(CAST((matched + mismatched + not_found) AS {{ faceid.real_type() }}), 0) AS hit_rate,
    CAST(review AS {{ faceid.real_type() }}) / NULLIF(CAST((matched + mismatched + found + not_found + review + other_answers) AS {{ faceid.real_type() }}), 0) AS review_rate,
    CAST(first_pass AS {{ faceid.real_type() }}) / NULLIF(CAST((matched + mismatched + found + not_found + review + other_answers + quarantined + postponed + held) AS {{ faceid.real_type() }}), 0) AS first_pass_yield
FROM (
    SELECT
        campaign,
        action,
        CAST(SUM(matched) AS {{ faceid.whole_number_type() }}) AS matched,
        CAST(SUM(mismatched) AS {{ faceid.whole_number_type() }}) AS mismatched,
        CAST(SUM(found) AS {{ faceid.whole_number_type() }}) AS found,
        CAST(SUM(not_found) AS {{ faceid.whole_number_type() }}) AS not_found,
        CAST(SUM(review) AS {{ faceid.whole_number_type() }}) AS review,
        CAST(SUM(other_answers) AS {{ faceid.whole_number_type() }}) AS other_answers,
        CAST(SUM(quarantined) AS {{ faceid.whole_number_type() }}) AS quarantined,
        CAST(SUM(postponed) AS {{ faceid.whole_number_type() }}) AS postponed,
        CAST(SUM(held) AS {{ faceid.whole_number_type() }}) AS held,
        CAST(SUM(first_pass) AS {{ faceid.whole_number_type() }}) AS first_pass
    FROM (
        SELECT
            campaign,
            action,
            COUNT(CASE WHEN status = 'answered' AND (answer.outcome = 'match') THEN 1 END) AS matched,
            COUNT(CASE WHEN status = 'answered' AND (answer.outcome = 'mismatch') THEN 1 END) AS mismatched,
            COUNT(CASE WHEN status = 'answered' AND (answer.outcome = 'found') THEN 1 END) AS found,
            COUNT(CASE WHEN status = 'answered' AND (answer.outcome = 'not_found') THEN 1 END) AS not_found,
            COUNT(CASE WHEN status = 'answered' AND (answer.outcome = 'review') THEN 1 END) AS review,
            COUNT(CASE WHEN status = 'answered' AND (answer.outcome IS NULL OR answer.outcome NOT IN ('match', 'mismatch', 'found', 'not_found', 'review')) THEN 1 END) AS other_answers,
            0 AS quarantined,
            COUNT(CASE WHEN status = 'postponed' THEN 1 END) AS postponed,
            COUNT(CASE WHEN status = 'held' THEN 1 END) AS held,
            COUNT(CASE WHEN status = 'answered' AND (answer.attempts <= 1) THEN 1 END) AS first_pass
        FROM {{ ref('stg_faceid__results') }} AS answer
        GROUP BY campaign, action
        UNION ALL
        SELECT
            refused.campaign,
            refused.action,
            0,
            0,
            0,
            0,
            0,
            0,
            COUNT(DISTINCT refused.source_key),
            0,
            0,
            0
        FROM {{ ref('stg_faceid__quarantine') }} AS refused
        LEFT JOIN {{ ref('stg_faceid__results') }} AS kept ON kept.campaign = refused.campaign AND kept.action = refused.action AND kept.source_key = refused.source_key
        WHERE COALESCE(kept.status, '') = ''
        GROUP BY refused.campaign, refused.action
    ) AS parts
    GROUP BY campaign, action
) AS counted
