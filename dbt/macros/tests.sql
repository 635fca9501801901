{#- Written by codegen/generate.py (make docs) from the definitions of tables and views. A row that a test returns is one that fails it. -#}

{% test faceid_key_of_results(model) %}
SELECT campaign, action, source_key, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, source_key
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_history(model) %}
SELECT campaign, action, source_key, answer_id, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, source_key, answer_id
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_quarantine(model) %}
SELECT campaign, action, source_key, rule, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, source_key, rule
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_runs(model) %}
SELECT campaign, action, run_id, map_index, started_at, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, run_id, map_index, started_at
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_prices(model) %}
SELECT action, valid_from, COUNT(*) AS found
FROM {{ model }}
GROUP BY action, valid_from
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_reconciliation(model) %}
SELECT verified_date, action, code, COUNT(*) AS found
FROM {{ model }}
GROUP BY verified_date, action, code
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_reconciliation_calls(model) %}
SELECT verified_date, action, code, campaign, source_key, COUNT(*) AS found
FROM {{ model }}
GROUP BY verified_date, action, code, campaign, source_key
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_checks(model) %}
SELECT campaign, action, run_id, task_id, map_index, number, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, run_id, task_id, map_index, number
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_erasures(model) %}
SELECT receipt_id, COUNT(*) AS found
FROM {{ model }}
GROUP BY receipt_id
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_reviews(model) %}
SELECT campaign, action, source_key, answer_id, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, source_key, answer_id
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_review_log(model) %}
SELECT review_id, number, COUNT(*) AS found
FROM {{ model }}
GROUP BY review_id, number
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_latest(model) %}
SELECT source_key, action, source, COUNT(*) AS found
FROM {{ model }}
GROUP BY source_key, action, source
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_history_periods(model) %}
SELECT campaign, action, source_key, answer_id, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, source_key, answer_id
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_daily(model) %}
SELECT verified_date, action, outcome, COUNT(*) AS found
FROM {{ model }}
GROUP BY verified_date, action, outcome
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_rates(model) %}
SELECT verified_date, action, COUNT(*) AS found
FROM {{ model }}
GROUP BY verified_date, action
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_codes(model) %}
SELECT action, code, outcome, COUNT(*) AS found
FROM {{ model }}
GROUP BY action, code, outcome
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_charges(model) %}
SELECT verified_date, action, code, COUNT(*) AS found
FROM {{ model }}
GROUP BY verified_date, action, code
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_costs(model) %}
SELECT campaign, action, currency, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, currency
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_in_doubt(model) %}
SELECT campaign, action, source_key, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, source_key
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_funnel(model) %}
SELECT campaign, action, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_similarity(model) %}
SELECT campaign, action, similarity_from, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, similarity_from
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_thresholds(model) %}
SELECT campaign, action, cut_off, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, cut_off
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_latency(model) %}
SELECT verified_date, action, COUNT(*) AS found
FROM {{ model }}
GROUP BY verified_date, action
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_quarantine_reasons(model) %}
SELECT campaign, action, stage, rule, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, stage, rule
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_waiting(model) %}
SELECT campaign, action, status, outcome, due_date, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, status, outcome, due_date
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_key_of_mart_review_queue(model) %}
SELECT campaign, action, reason, COUNT(*) AS found
FROM {{ model }}
GROUP BY campaign, action, reason
HAVING COUNT(*) > 1
{% endtest %}

{% test faceid_values_of_results_status(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN ('answered', 'postponed', 'held', 'erased')
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_results_outcome(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN ('match', 'found', 'mismatch', 'review', 'not_found', 'invalid_input', 'unusable_photo', 'limit', 'throttled', 'unavailable', 'credentials', 'account', 'refused', 'uncertain', 'unjudged', 'error')
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_results_charged(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN (0, 1)
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_history_outcome(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN ('match', 'found', 'mismatch', 'review', 'not_found', 'invalid_input', 'unusable_photo', 'limit', 'throttled', 'unavailable', 'credentials', 'account', 'refused', 'uncertain', 'unjudged', 'error')
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_history_charged(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN (0, 1)
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_quarantine_stage(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN ('validate', 'input', 'service', 'warehouse')
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_runs_state(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN ('running', 'planned', 'refused', 'success', 'failed')
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_checks_severity(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN ('critical', 'warning', 'info')
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_checks_success(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN (0, 1)
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_reviews_reason(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN ('suspected_fake', 'poor_registered_photo', 'mismatch_after_match', 'low_similarity', 'in_doubt')
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_reviews_suggested(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN ('approve', 'reject')
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_reviews_four_eyes(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN (0, 1)
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_reviews_status(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN ('open', 'in_progress', 'resolved')
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_reviews_decision(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN ('approve', 'reject', 'recheck', 'escalate')
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_review_log_event(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN ('created', 'assigned', 'decided', 'seconded', 'disagreed', 'escalated')
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_review_log_decision(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN ('approve', 'reject', 'recheck', 'escalate')
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_values_of_review_log_status(model, column_name) %}
SELECT {{ column_name }} AS found, COUNT(*) AS found_in
FROM {{ model }}
WHERE {{ column_name }} NOT IN ('open', 'in_progress', 'resolved')
GROUP BY {{ column_name }}
{% endtest %}

{% test faceid_from_0_to_100(model, column_name) %}
SELECT {{ column_name }} AS found
FROM {{ model }}
WHERE NOT ({{ column_name }} BETWEEN 0 AND 100)
{% endtest %}

{% test faceid_from_0_to_1(model, column_name) %}
SELECT {{ column_name }} AS found
FROM {{ model }}
WHERE NOT ({{ column_name }} BETWEEN 0 AND 1)
{% endtest %}
