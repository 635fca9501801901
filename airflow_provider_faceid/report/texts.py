"""Texts of the page in English and Chinese, one line each; a test compares that both are complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .definitions import DEFINITIONS


class Text(NamedTuple):
    """
    A text.

    :param en: in English.
    :param zh: in Chinese (simplified).
    """

    en: str
    zh: str


LANGUAGES = Text._fields

PAGE: Mapping[str, Text] = {
    "title_run": Text("Face ID report of a run", "人脸核身运行报告"),
    "title_days": Text("Face ID report, last {days} days", "人脸核身报告：最近 {days} 天"),
    "campaign": Text("Campaign", "核验批次"),
    "all_campaigns": Text("all campaigns ({n})", "全部核验批次（{n} 个）"),
    "run": Text("Run", "运行"),
    "days": Text("Days", "日期"),
    "made_at": Text("Made", "生成时间"),
    "zone": Text("Days and times are {zone}.", "日期与时间均为 {zone}。"),
    "contents": Text("Contents", "目录"),
    "skip": Text("Skip to the numbers", "跳到数据"),
    "key_figures": Text("Key figures", "关键数字"),
    "in_short": Text("In short", "概要"),
    "short_rows": Text("{rows_in} rows came in: {parts}.", "共输入 {rows_in} 行：{parts}。"),
    "part_answers": Text("{n} answered", "{n} 行已获答复"),
    "part_answered_before": Text("{n} had a valid answer before", "{n} 行此前已有有效答复"),
    "part_quarantined": Text("{n} in quarantine", "{n} 行被隔离"),
    "part_postponed": Text("{n} postponed", "{n} 行已推迟"),
    "part_held": Text("{n} held", "{n} 行已搁置"),
    "part_left": Text("{n} not reached", "{n} 行未处理到"),
    "comma": Text(", ", "，"),
    "alert": Text("Stands out:", "异常："),
    "alarm": Text("Alert:", "告警："),
    "below": Text("{number} is {value}, below {limit}.", "{number}为 {value}，低于 {limit}。"),
    "above": Text("{number} is {value}, above {limit}.", "{number}为 {value}，高于 {limit}。"),
    "kept": Text("No alert for: {names}.", "无告警：{names}。"),
    "unjudged_no_value": Text(
        "{number} is not judged: it has no value here, or one of too few answers to be shown.",
        "{number}未判定：没有数值，或因答复过少而不显示。",
    ),
    "unjudged_bound": Text(
        "{number} is not judged: {value} is all that is shown of a small group.",
        "{number}未判定：小群体只显示 {value}。",
    ),
    "unjudged_no_price": Text(
        "{number} is not judged: it is {value}, and there are charges without a price.",
        "{number}未判定：{value}，且有计费没有价格。",
    ),
    "unjudged_several_currencies": Text(
        "{number} is not judged: amounts are in several currencies; name one of them in the alert.",
        "{number}未判定：金额涉及多个币种，须在告警中指定币种。",
    ),
    "of_action": Text("{number} of {action}", "{action} 的{number}"),
    "hours": Text("{n} h", "{n} 小时"),
    "not_needed": Text("{n} calls not needed", "节省 {n} 次调用"),
    "short_money": Text(
        "{charged} of {requests} requests are charged, {unknown} more may be.",
        "{requests} 次请求中 {charged} 次计费，另有 {unknown} 次可能计费。",
    ),
    "unfinished": Text(
        "{n} runs have not ended: their numbers are those so far.",
        "{n} 个运行尚未结束：其数字截至目前。",
    ),
    "nothing_stands_out": Text(
        "Nothing stands out against the runs before.", "与此前的运行相比，没有异常。"
    ),
    "stands_out": Text(
        "{number} of {campaign}, {action} is {value}, outside the {runs} runs before: {lowest} to {highest}, "
        "median {median}.",
        "{campaign}（{action}）的{number}为 {value}，超出此前 {runs} 次运行的范围：{lowest} 至 {highest}，中位数 {median}。",
    ),
    "too_few_runs": Text(
        "{campaign}, {action}: {runs} earlier runs; from 5 on runs are compared.",
        "{campaign}（{action}）：此前有 {runs} 次运行；满 5 次后开始比较。",
    ),
    "where": Text("Where each row ended", "每一行的去向"),
    "where_days": Text("Where each row is now", "每一行的现状"),
    "where_note": Text(
        "Each row is in one place; the places sum to the rows in.",
        "每一行只在一处；各处之和等于输入行数。",
    ),
    "verdicts": Text("Verdicts", "核验结论"),
    "verdicts_by_day": Text("Verdicts by day", "按日核验结论"),
    "by_week": Text(
        "Days are together where one alone would show a small group.",
        "若单日会显示小群体，则合并显示多日。",
    ),
    "codes": Text("Result codes", "结果码"),
    "code": Text("Code", "结果码"),
    "several_codes": Text("{n} codes together", "{n} 个结果码合计"),
    "meaning": Text("Meaning", "含义"),
    "outcome": Text("Outcome", "结论"),
    "is_charged": Text("Charged?", "是否计费"),
    "next": Text("Next step", "下一步"),
    "similarity": Text("Similarity and threshold", "相似度与阈值"),
    "similarity_note": Text(
        "{compared} faces were compared; from {threshold} on a face is accepted.",
        "共比对 {compared} 张人脸；相似度达到 {threshold} 即通过。",
    ),
    "what_if": Text("What another threshold would change", "若改用其他阈值"),
    "today": Text("today", "当前"),
    "money": Text("Money", "费用"),
    "money_note": Text(
        "Prices are those of the price table; without one there is no amount.",
        "金额按价格表计算；没有价格则无金额。",
    ),
    "cost": Text("Cost", "费用"),
    "cost_at_most": Text("at most {amount}", "最多 {amount}"),
    "cost_by_day": Text("Cost by day", "按日费用"),
    "currency": Text("Currency", "币种"),
    "no_price": Text("no price", "无价格"),
    "avoided_by": Text("Calls that were not needed, by what avoided them", "节省的调用及其原因"),
    "speed": Text("Speed", "速度"),
    "quota": Text("Quota (calls/s)", "配额（次/秒）"),
    "latency": Text("Latency", "延迟"),
    "latency_note": Text(
        "Solid: from sending to the answer. Dashed: with the wait for the pace, and retries.",
        "实线：从发送到收到答复。虚线：含限速等待与重试。",
    ),
    "percentile": Text("Percentile", "百分位"),
    "without_wait": Text("without the wait", "不含等待"),
    "with_wait": Text("with the wait", "含等待"),
    "waiting_section": Text("What waits, and until when", "等待中的行及时间"),
    "nothing_waits": Text("No row waits.", "没有等待中的行。"),
    "due": Text("Due from", "可处理时间"),
    "since": Text("Waiting since", "等待自"),
    "status": Text("Status", "状态"),
    "quarantine": Text("Quarantine", "隔离"),
    "nothing_in_quarantine": Text("No row is in quarantine.", "没有被隔离的行。"),
    "rule": Text("Rule", "规则"),
    "stage": Text("Found by", "发现于"),
    "checks": Text("Checks of the data", "数据检查"),
    "no_checks": Text("No validation was recorded.", "没有数据检查记录。"),
    "severity": Text("Severity", "严重程度"),
    "result": Text("Result", "结果"),
    "met": Text("met", "达标"),
    "unmet": Text("not met", "未达标"),
    "history": Text("The last runs", "最近的运行"),
    "history_note": Text(
        "A run and up to 14 before it, the newest first.", "本次运行及此前至多 14 次，最近的在前。"
    ),
    "match_rate_by_run": Text("Match rate by run", "各次运行的一致率"),
    "median_before": Text("median of the runs before", "此前运行的中位数"),
    "started": Text("Started", "开始时间"),
    "state": Text("State", "状态"),
    "definitions": Text("Definitions", "定义"),
    "definitions_note": Text(
        "What each number counts, and what each rate is divided by.",
        "各数字的统计对象及各比率的分母。",
    ),
    "small_groups": Text(
        "Groups of fewer than {n} answers by verdict, code, similarity or broken rule are not shown alone: "
        "they are together with others, so that no subtraction gives them.",
        "按结论、结果码、相似度或违反规则划分、少于 {n} 行的群体不单独显示：与其他群体合并，无法通过相减得出。",
    ),
    "under": Text("under {n}", "少于 {n}"),
    "together": Text("{names} together", "{names}（合计）"),
    "more": Text("{n} more are in the JSON beside this page.", "另有 {n} 项见同目录的 JSON 文件。"),
    "total": Text("total", "合计"),
    "action": Text("Action", "接口"),
    "day": Text("Day", "日期"),
    "none": Text("none", "无"),
    "table": Text("Table: {title}", "表格：{title}"),
    "chart": Text("Chart: {title}", "图表：{title}"),
    "chart_desc": Text(
        "The numbers of this chart are in the table that follows it, or in the JSON beside the page.",
        "图表中的数字见其后的表格或同目录的 JSON 文件。",
    ),
    "numbers_of_chart": Text("The numbers of the chart", "图表数据"),
    "made_by": Text(
        "Made by airflow-provider-faceid {version}. No person and no key is in this report.",
        "由 airflow-provider-faceid {version} 生成。本报告不含任何个人信息或主键。",
    ),
    "ms": Text("{n} ms", "{n} 毫秒"),
    "of_whole": Text("{part} of {whole}", "{whole} 中的 {part}"),
}

NAMES: Mapping[str, Text] = {
    "rows_in": Text("Rows in", "输入行数"),
    "answered": Text("Answered", "已答复"),
    "answers": Text("Answers", "答复"),
    "answered_before": Text("Answered before", "此前已答复"),
    "left": Text("Not reached", "未处理到"),
    "matched": Text("Match", "一致"),
    "mismatched": Text("Mismatch", "不一致"),
    "found": Text("Found", "查得"),
    "not_found": Text("Not found", "查无"),
    "review": Text("Review", "待复核"),
    "other_answers": Text("Other answers", "其他答复"),
    "quarantined": Text("Quarantined", "已隔离"),
    "postponed": Text("Postponed", "已推迟"),
    "held": Text("Held", "已搁置"),
    "first_pass": Text("First pass", "首次即得"),
    "match_rate": Text("Match rate", "一致率"),
    "match_rate_of_run": Text("Match rate of a run", "单次运行一致率"),
    "hit_rate": Text("Hit rate", "命中率"),
    "review_rate": Text("Review rate", "复核率"),
    "first_pass_yield": Text("First-pass yield", "首次成功率"),
    "requests": Text("Requests", "请求数"),
    "requests_per_second": Text("Requests per second", "每秒请求"),
    "calls": Text("Calls", "调用"),
    "charged": Text("Charged", "计费"),
    "may_be_charged": Text("May be charged", "可能计费"),
    "amount": Text("Cost", "费用"),
    "amount_at_most": Text("Cost at most", "费用上限"),
    "cost_per_match": Text("Cost per match", "每次一致的费用"),
    "avoided": Text("Avoided cost", "节省费用"),
    "avoided_rows": Text("Avoided calls", "节省的调用"),
    "share": Text("Share", "占比"),
    "compared": Text("Compared", "已比对"),
    "cut_off": Text("Threshold", "阈值"),
    "at_or_above": Text("At or above", "达到阈值"),
    "pass_rate": Text("Pass rate", "通过率"),
    "matches_lost": Text("Matches lost", "失去的一致"),
    "matches_gained": Text("Matches gained", "新增的一致"),
    "price": Text("Price", "单价"),
    "p50_ms": Text("Median latency", "延迟中位数"),
    "p95_ms": Text("95th percentile", "延迟 95 百分位"),
    "p99_ms": Text("99th percentile", "延迟 99 百分位"),
    "p50_with_wait_ms": Text("Median with the wait", "含等待的中位数"),
    "p95_with_wait_ms": Text("95th percentile with the wait", "含等待的 95 百分位"),
    "p99_with_wait_ms": Text("99th percentile with the wait", "含等待的 99 百分位"),
    "refusals": Text("Rows that break it", "违反行数"),
    "waiting": Text("Waiting", "等待中"),
    "due_at": Text("Due first", "最早可处理"),
    "waiting_since": Text("Waiting since", "等待自"),
    "reused": Text("Reused", "复用"),
    "still_valid": Text("Still valid", "仍有效"),
    "throttled": Text("Throttled", "被限流"),
    "throttled_share": Text("Throttled share", "限流占比"),
    "quota_used": Text("Quota used", "配额使用率"),
    "quarantined_share": Text("Share in quarantine", "隔离占比"),
    "waiting_share": Text("Share that waits", "等待占比"),
    "seconds": Text("Seconds", "秒数"),
    "evaluated": Text("Evaluated", "检查行数"),
    "unexpected": Text("Unexpected", "不符行数"),
    "unexpected_share": Text("Unexpected share", "不符占比"),
    "mostly": Text("Must keep to it", "须达到的比例"),
    "stood_out": Text("Numbers that stand out", "异常数字"),
    "postponed_hours": Text("Oldest postponed row (hours)", "最早推迟行的时长（小时）"),
    "held_hours": Text("Oldest held row (hours)", "最早搁置行的时长（小时）"),
}
"""Names of the numbers."""

WORDS: Mapping[str, Text] = {
    "match": Text("match", "一致"),
    "mismatch": Text("mismatch", "不一致"),
    "not_found": Text("not found", "查无"),
    "found": Text("found", "查得"),
    "review": Text("review", "待复核"),
    "invalid_input": Text("invalid input", "输入无效"),
    "unusable_photo": Text("unusable photo", "照片不可用"),
    "limit": Text("limit reached", "次数超限"),
    "throttled": Text("throttled", "被限流"),
    "unavailable": Text("unavailable", "服务不可用"),
    "credentials": Text("credentials refused", "凭证被拒"),
    "account": Text("account state", "账户状态"),
    "refused": Text("refused", "请求被拒"),
    "uncertain": Text("no answer", "无答复"),
    "unjudged": Text("unjudged", "未判定"),
    "error": Text("error", "错误"),
    "yes": Text("yes", "是"),
    "no": Text("no", "否"),
    "unknown": Text("unknown", "未知"),
    "record": Text("final", "结果有效"),
    "quarantine": Text("mend the input", "修正输入"),
    "retry": Text("asked again", "重试"),
    "postpone": Text("another day", "改日再查"),
    "hold": Text("decide", "人工决定"),
    "fatal": Text("stop the run", "停止运行"),
    "postponed": Text("postponed", "已推迟"),
    "held": Text("held", "已搁置"),
    "erased": Text("erased", "已删除"),
    "critical": Text("critical", "严重"),
    "warning": Text("warning", "警告"),
    "info": Text("info", "提示"),
    "validate": Text("validation", "数据校验"),
    "input": Text("input check", "输入检查"),
    "service": Text("the service", "服务端"),
    "warehouse": Text("the warehouse", "数据仓库"),
    "success": Text("success", "成功"),
    "failed": Text("failed", "失败"),
    "running": Text("running", "运行中"),
}
"""Words of our tables: outcomes, charges, next steps, states, severities, stages."""

MESSAGE: Mapping[str, Text] = {
    "title": Text("Face ID, {name}: report", "人脸核身 {name}：报告"),
    "title_failed": Text("Face ID, {name}: failed", "人脸核身 {name}：失败"),
    "title_alerts": Text("Face ID, {name}: alert for {names}", "人脸核身 {name}：{names}告警"),
    "task": Text(
        "DAG {dag_id}, task {task_id}, run {run_id}.",
        "DAG {dag_id}，任务 {task_id}，运行 {run_id}。",
    ),
    "run": Text("DAG {dag_id}, run {run_id}.", "DAG {dag_id}，运行 {run_id}。"),
    "failed": Text("Failed:", "失败："),
    "why": Text("{error}", "原因是 {error}"),
    "no_reason": Text("no reason is known, see the log", "未知，见日志"),
    "no_numbers": Text("There is no report of it.", "没有相应的报告。"),
    "colon": Text(": ", "："),
    "comma": Text(", ", "、"),
    "report": Text("Report", "报告"),
    "page": Text("Report in Airflow", "在 Airflow 中查看报告"),
}
"""Texts of the messages of notifiers."""

CHINESE_DEFINITIONS: Mapping[str, str] = {
    "rows_in": "本次运行的数据源行数；多次运行时为目前已知的行数",
    "answered_before": "运行之前已有答复且仍有效的行",
    "left": "因失败、被终止或仍在运行而未处理到的行",
    "answered": "已有最终答复的行",
    "match_rate_of_run": "一致 /（一致 + 不一致），限本次运行的答复",
    "requests": "各次运行的请求，含重试与被拒的请求",
    "throttled_share": "被限流 / 请求数",
    "requests_per_second": "请求数 / 秒数",
    "quota_used": "请求数 /（秒数 × 该接口的每秒配额）",
    "quarantined_share": "已隔离 / 输入行数",
    "waiting_share": "（已推迟 + 已搁置）/ 输入行数",
    "seconds": "从第一次请求到最后一次答复；并行任务取最长者",
    "avoided_rows": "各次运行的 已隔离 + 复用 + 仍有效 之和：未产生调用的行",
    "unexpected_share": "不符行数 / 检查行数",
    "answers": "最终答复，包括复用其他行调用的答复",
    "matched": "结论为 match 的答复",
    "mismatched": "结论为 mismatch 的答复",
    "found": "结论为 found 的答复",
    "not_found": "结论为 not_found 的答复",
    "review": "结论为 review 的答复",
    "other_answers": "其他结论的答复",
    "calls": "由该行自身调用得到的答复",
    "charged": "其调用计费的答复",
    "may_be_charged": "官方文档未说明是否计费的调用的答复",
    "first_pass": "首次请求即得、或无需自身请求的答复",
    "quarantined": "没有结果、须修正输入的行",
    "postponed": "在某一时刻之前不再查询的行",
    "held": "已发送但无答复、可能计费的行",
    "match_rate": "一致 /（一致 + 不一致）",
    "hit_rate": "（一致 + 不一致）/（一致 + 不一致 + 查无）",
    "review_rate": "待复核 / 答复",
    "first_pass_yield": "首次即得 / 输入行数",
    "amount": "计费次数 × 当日单价",
    "amount_at_most": "（计费次数 + 可能计费次数）× 当日单价",
    "cost_per_match": "费用 / 一致；没有一致则为空",
    "avoided": "（各次运行的 已隔离 + 复用 + 仍有效 之和）× 运行当日单价；相同查询的行计入复用",
    "share": "答复 / 该接口的答复",
    "compared": "区间内有相似度的当前答复",
    "cut_off": "达到即通过的相似度",
    "at_or_above": "其中达到阈值者",
    "pass_rate": "达到阈值 / 已比对",
    "matches_lost": "当前的一致中低于该阈值者",
    "matches_gained": "当前的待复核中达到该阈值者",
    "price": "当日有效的单价；没有则为空",
    "p50_ms": "其中 50 % 从发送到答复至多所需的毫秒数",
    "p95_ms": "其中 95 % 从发送到答复至多所需的毫秒数",
    "p99_ms": "其中 99 % 从发送到答复至多所需的毫秒数",
    "p50_with_wait_ms": "同上，自调用就绪起算：含限速等待与重试",
    "p95_with_wait_ms": "同上，自调用就绪起算：含限速等待与重试",
    "p99_with_wait_ms": "同上，自调用就绪起算：含限速等待与重试",
    "refusals": "违反该规则的行",
    "waiting": "行数",
    "due_at": "其中最早可处理的时间",
    "waiting_since": "其中最早写入的时间",
    "reused": "无需调用即得答复的行：此前已有相同查询的答复",
    "still_valid": "计划：已有答复且不再查询的行",
    "throttled": "因过快被拒的请求；不计费",
    "evaluated": "检查的行数",
    "unexpected": "不符合的行数",
    "mostly": "须符合的行的比例，0-1",
    "stood_out": "最近各次运行中与此前相比异常的数字个数",
    "postponed_hours": "最早的已推迟行写入至今的小时数；没有则为 0",
    "held_hours": "最早的已搁置行写入至今的小时数；没有则为 0",
}

TEXTS: Mapping[str, Mapping[str, Text]] = {
    "page": PAGE,
    "names": NAMES,
    "words": WORDS,
    "message": MESSAGE,
    "definitions": {
        name: Text(meaning, CHINESE_DEFINITIONS.get(name, ""))
        for name, meaning in DEFINITIONS.items()
    },
}
"""All texts by kind and key."""


def text(kind: str, key: str, language: str) -> str:
    """
    Return a text.

    :param kind: ``page``, ``names``, ``words``, ``message`` or ``definitions``.
    :param key: a word of our tables that has no text is returned as it is.
    :param language: ``en`` or ``zh``.
    """
    found = TEXTS[kind].get(key)
    if found is None and kind == "words":
        return key
    return str(getattr(TEXTS[kind][key], language))
