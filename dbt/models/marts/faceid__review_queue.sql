{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. -#}
SELECT
    review.campaign AS campaign,
    review.action AS action,
    review.reason AS reason,
    COUNT(CASE WHEN 1 = 1 THEN 1 END) AS cases,
    COUNT(CASE WHEN review.status <> 'resolved' THEN 1 END) AS unresolved,
    COUNT(CASE WHEN review.status = 'in_progress' THEN 1 END) AS in_progress,
    COUNT(CASE WHEN review.status <> 'resolved' AND review.due_at < {{ faceid.this_moment() }} THEN 1 END) AS overdue,
    COUNT(CASE WHEN review.status = 'resolved' AND review.decision = 'approve' THEN 1 END) AS approved,
    COUNT(CASE WHEN review.status = 'resolved' AND review.decision = 'reject' THEN 1 END) AS rejected,
    COUNT(CASE WHEN review.status = 'resolved' AND review.decision = 'recheck' THEN 1 END) AS rechecked,
    COUNT(CASE WHEN review.status = 'resolved' AND review.decision IN ('approve', 'reject') AND review.decision <> review.suggested THEN 1 END) AS overturned,
    CAST(COUNT(CASE WHEN review.status = 'resolved' AND review.decision IN ('approve', 'reject') AND review.decision <> review.suggested THEN 1 END) AS {{ faceid.real_type() }}) / NULLIF(CAST((COUNT(CASE WHEN review.status = 'resolved' AND review.decision = 'approve' THEN 1 END) + COUNT(CASE WHEN review.status = 'resolved' AND review.decision = 'reject' THEN 1 END)) AS {{ faceid.real_type() }}), 0) AS overturn_rate,
    MIN(CASE WHEN review.seconds_open IS NOT NULL AND review.place * 2 >= review.timed THEN review.seconds_open END) AS median_seconds,
    MIN(CASE WHEN review.status <> 'resolved' THEN review.created_at END) AS oldest_at,
    MIN(CASE WHEN review.status <> 'resolved' THEN review.due_at END) AS next_due_at
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY campaign, action, reason ORDER BY CASE WHEN seconds_open IS NULL THEN 1 ELSE 0 END, seconds_open) AS place,
        COUNT(seconds_open) OVER (PARTITION BY campaign, action, reason) AS timed
    FROM {{ ref('stg_faceid__reviews') }}
) AS review
GROUP BY review.campaign, review.action, review.reason
