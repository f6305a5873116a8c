"""What a run publishes: its tables column by column, and its manifest.

Documentation, views and verification are all made from this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MANIFEST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Column:
    """One published column: DuckDB type and what it means."""

    name: str
    type: str
    doc: str


@dataclass(frozen=True, slots=True)
class Table:
    """One published table. ``grain`` says what a row is; ``key`` orders the rows and is unique."""

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]


def _table(name: str, grain: str, key: str, *columns: tuple[str, str, str]) -> Table:
    return Table(name, grain, tuple(key.split()), tuple(Column(*column) for column in columns))


PROFILE = ("profile_id", "VARCHAR", "minted id of the profile")
ITEM = ("item_id", "VARCHAR", "id of the item, as delivered")

TABLES: tuple[Table, ...] = (
    _table(
        "profiles",
        "one profile known before as_of",
        "profile_id",
        PROFILE,
        ("customer_id", "VARCHAR", "the client's own id"),
        ("profile_index", "INTEGER", "position of the profile in this run's arrays, by profile_id"),
        ("has_charged", "BOOLEAN", "true after an accepted charged event, or when delivered so"),
        ("status", "VARCHAR", "active, inactive or churned"),
        ("profile_data", "JSON", "typed properties of the profile, keys sorted"),
        ("platform_info", "JSON", "typed properties of the profile's platform, keys sorted"),
        ("created_at", "TIMESTAMP", "first seen (UTC)"),
        ("updated_at", "TIMESTAMP", "time of the values in effect (UTC)"),
        ("implicit", "BOOLEAN", "true when it is known only from what it did: no file and no write described it"),
    ),
    _table(
        "items",
        "one item known before as_of",
        "item_id",
        ITEM,
        ("item_index", "INTEGER", "position of the item in this run's arrays, by item_id"),
        ("item_category", "VARCHAR", "category"),
        ("item_name", "VARCHAR", "name"),
        ("item_description", "VARCHAR", "description"),
        ("item_price", "BIGINT", "price in the lowest denomination"),
        ("status", "VARCHAR", "active or inactive; an inactive item is never recommended"),
        ("properties", "JSON", "further typed properties, keys sorted"),
        ("created_at", "TIMESTAMP", "first seen (UTC)"),
        ("updated_at", "TIMESTAMP", "time of the values in effect (UTC)"),
    ),
    _table(
        "events",
        "one event before as_of",
        "created_at event_id",
        ("event_id", "VARCHAR", "minted id, equal for the same event however it was delivered"),
        ("event_type", "VARCHAR", "type, for example charged"),
        PROFILE,
        ("item_id", "VARCHAR", "item of the event, or null"),
        ("created_at", "TIMESTAMP", "when it happened (UTC)"),
        ("properties", "JSON", "properties, keys sorted"),
        ("source_profile_id", "VARCHAR", "the merged profile that it was delivered of, null otherwise"),
    ),
    _table(
        "ratings",
        "one profile and item that it rated before as_of",
        "profile_id item_id",
        PROFILE,
        ("item_id", "VARCHAR", "id of the item, also of one that the run does not know"),
        ("rating", "DOUBLE", "the last rating"),
        ("created_at", "TIMESTAMP", "its time (UTC)"),
    ),
    _table(
        "session_events",
        "one event of a session before as_of; those of a resolved session are among the events too",
        "session_id created_at event_id",
        ("session_id", "VARCHAR", "id of the session"),
        ("created_at", "TIMESTAMP", "when it happened (UTC)"),
        ("event_id", "VARCHAR", "minted id"),
        ("event_type", "VARCHAR", "type"),
        ("item_id", "VARCHAR", "item of the event"),
        ("properties", "JSON", "properties, keys sorted"),
    ),
    _table(
        "sessions",
        "one session with an event, or known to be a profile's, before as_of",
        "session_id",
        ("session_id", "VARCHAR", "id of the session"),
        ("profile_id", "VARCHAR", "the profile whose session it was, null while unknown"),
        ("customer_id", "VARCHAR", "the client's own id of that profile"),
        ("resolved_at", "TIMESTAMP", "when that became known (UTC)"),
    ),
    _table(
        "interactions",
        "one profile and item with at least one weighted or excluding event before as_of",
        "profile_id item_id",
        PROFILE,
        ITEM,
        ("profile_index", "INTEGER", "position in the arrays"),
        ("item_index", "INTEGER", "position in the arrays"),
        ("weight", "DOUBLE", "sum of event-type weights, each halved every half_life_days of age"),
        ("recent_weight", "DOUBLE", "the same with popularity_half_life_days"),
        ("events", "INTEGER", "weighted events counted"),
        ("first_at", "TIMESTAMP", "first of them (UTC), null without any"),
        ("last_at", "TIMESTAMP", "last of them (UTC), null without any"),
        ("excludes", "BOOLEAN", "true after an event of exclude_event_types: the profile is not shown the item again"),
    ),
    _table(
        "popularity",
        "one item, best first",
        "rank",
        ("rank", "INTEGER", "position in the popularity order, from 1"),
        ITEM,
        ("score", "DOUBLE", "sum of recent_weight over the profiles that recommenders learn from"),
        ("profiles", "INTEGER", "those of them that interacted with it"),
        ("events", "INTEGER", "events counted"),
    ),
    _table(
        "profile_features",
        "one profile of the run",
        "profile_id",
        PROFILE,
        ("events", "INTEGER", "activity events before as_of"),
        ("recency_days", "DOUBLE", "days since the last activity event, null without any"),
        ("tenure_days", "DOUBLE", "days since the first activity event, null without any"),
        ("active_days", "INTEGER", "distinct dates with activity"),
        ("amount", "DOUBLE", "sum of the amount over activity events, in the lowest denomination"),
        ("items", "INTEGER", "distinct items of activity events"),
        ("events_30d", "INTEGER", "activity events in the last 30 days"),
        ("events_90d", "INTEGER", "activity events in the last 90 days"),
        ("events_180d", "INTEGER", "activity events in the last 180 days"),
        ("events_365d", "INTEGER", "activity events in the last 365 days"),
        ("events_year_ago", "INTEGER", "activity events 275 to 365 days ago: the season ahead, a year before"),
        ("amount_30d", "DOUBLE", "amount of the activity events in the last 30 days"),
        ("amount_90d", "DOUBLE", "amount of the activity events in the last 90 days"),
        ("amount_180d", "DOUBLE", "amount of the activity events in the last 180 days"),
        ("amount_365d", "DOUBLE", "amount of the activity events in the last 365 days"),
        ("active_days_90d", "INTEGER", "distinct dates with activity in the last 90 days"),
        ("active_days_365d", "INTEGER", "distinct dates with activity in the last 365 days"),
        ("gap_mean_days", "DOUBLE", "mean days between neighbouring dates with activity, null below two dates"),
        ("gap_std_days", "DOUBLE", "sample standard deviation of these gaps, null below three dates"),
        ("gap_longest_days", "DOUBLE", "longest of these gaps, null below two dates"),
        ("gap_last_days", "DOUBLE", "last of these gaps, null below two dates"),
        ("recency_to_gap", "DOUBLE", "recency_days divided by gap_mean_days, null below two dates"),
        ("trend_events", "DOUBLE", "log of (1 + events of the last 90 days) over (1 + events of the 90 days before)"),
        ("trend_amount", "DOUBLE", "log of (1 + amount of the last 90 days) over (1 + amount of the 90 days before)"),
        ("events_per_active_day", "DOUBLE", "activity events per date with activity, null without any"),
        ("amount_per_active_day", "DOUBLE", "amount per date with activity, null without any"),
        ("item_variety", "DOUBLE", "distinct items per activity event, null without any"),
        ("other_events", "INTEGER", "events of other types (returns, complaints, ...)"),
        ("other_events_90d", "INTEGER", "events of other types in the last 90 days"),
        ("other_recency_days", "DOUBLE", "days since the last event of another type, null without any"),
        ("churned_events", "INTEGER", "churned events"),
        ("has_charged", "BOOLEAN", "a charged event before as_of, or the flag set and no charged event at all"),
    ),
    _table(
        "recommendation_lists",
        "one profile with its list, best first",
        "profile_id",
        PROFILE,
        ("profile_index", "INTEGER", "position in the arrays"),
        ("model", "VARCHAR", "model that ordered the list"),
        ("cold", "BOOLEAN", "true when the profile had no interaction and the list is popularity"),
        ("item_ids", "VARCHAR[]", "items, best first"),
        ("scores", "FLOAT[]", "score of each item, falling"),
    ),
    _table(
        "item_neighbour_lists",
        "one item with the items most like it, best first",
        "item_id",
        ITEM,
        ("item_index", "INTEGER", "position in the arrays"),
        ("model", "VARCHAR", "model that ordered the list"),
        ("item_ids", "VARCHAR[]", "neighbours, best first"),
        ("scores", "FLOAT[]", "similarity of each, falling"),
    ),
    _table(
        "churn",
        "one scored profile",
        "profile_id",
        PROFILE,
        ("churn_score", "DOUBLE", "calibrated probability of churning within horizon_days"),
        ("churn_probability", "VARCHAR", "label of the score: low, mid, high, very-high"),
        ("expected_days_to_churn", "INTEGER", "median days to churn at a constant hazard, at most 3650"),
        (
            "churn_reasons",
            "STRUCT(feature VARCHAR, value VARCHAR, effect VARCHAR, contribution DOUBLE)[]",
            "largest additive contributions to the log-odds, at most three",
        ),
        (
            "survival",
            "DOUBLE[]",
            "probability of not having churned at each of the curve_days of the churn model's card",
        ),
        ("horizon_days", "INTEGER", "horizon of the score"),
        ("model", "VARCHAR", "model that gave the score"),
    ),
    _table(
        "churn_report",
        "one row: the churn report of the model that is served, none without one",
        "training_job_id",
        ("training_job_id", "VARCHAR", "job that made the report"),
        ("report_as_of", "TIMESTAMP", "cut-off of that job (UTC)"),
        ("current_churn_percentage", "DOUBLE", "100 times churned over counted profiles, one decimal"),
        ("churn_direction_indication", "VARCHAR", "positive (churn fell), negative (it rose), or stalled"),
        ("churn_percentage_difference", "DOUBLE", "the percentage of the report before minus this one, one decimal"),
        (
            "features_of_importance",
            "STRUCT(feature_name VARCHAR, feature_importance DOUBLE)[]",
            "the 20 most important features; importances of all add up to 1",
        ),
        ("model_accuracy", "DOUBLE", "area under the curve on held-out profiles"),
        ("brier", "DOUBLE", "mean squared error of the probability there"),
        ("calibration_error", "DOUBLE", "mean distance of promised and observed share there"),
        ("churn_definition", "VARCHAR", "explicit or inactivity"),
        ("horizon_days", "INTEGER", "days looked ahead"),
        ("profiles_scored", "BIGINT", "profiles with a score"),
        ("class_counts", "JSON", "training rows by label"),
    ),
    _table(
        "rfm",
        "one profile with a charged event in the window, if there are enough of them",
        "profile_id",
        PROFILE,
        ("rfm_score", "INTEGER", "digits of recency, frequency and money, 111 to 444; higher is better"),
        (
            "rfm_segment_desc",
            "VARCHAR",
            "Best, Loyal, Big spender, New, Promising, At risk, Lapsed valuable, Slipping, or Lost",
        ),
        ("recency_days", "INTEGER", "whole days since the last charged event"),
        ("frequency", "INTEGER", "distinct dates with one"),
        ("monetary", "DOUBLE", "sum of their amounts"),
    ),
    _table(
        "segments",
        "one segment defined when the run was made",
        "segment_id",
        ("segment_id", "VARCHAR", "id of the segment"),
        ("segment_name", "VARCHAR", "name, which is the tag's text"),
        ("segment_type", "VARCHAR", "past or live"),
        ("segment_sub_type", "INTEGER", "1 to 4 for past, 1 or 2 for live"),
        ("segment_timeframe", "INTEGER", "days of a past segment, 0 of a live one"),
        ("event_sequence", "JSON", "actions and inactions, as defined"),
        ("profile_property_name", "VARCHAR", "key of profile_data for past 3 and 4"),
        ("profile_property_value", "VARCHAR", "its value, as canonical text"),
        ("profile_count", "BIGINT", "members in this run; null for a live segment"),
    ),
    _table(
        "segment_members",
        "one past segment and profile that is a member",
        "segment_id profile_id",
        ("segment_id", "VARCHAR", "id of the segment"),
        ("segment_tag", "VARCHAR", "its name"),
        PROFILE,
        ("created_at", "TIMESTAMP", "since when it holds the tag without interruption (UTC)"),
    ),
    _table(
        "segment_deltas",
        "one past segment and profile that entered or left since the published run before",
        "segment_id profile_id",
        ("segment_id", "VARCHAR", "id of the segment"),
        PROFILE,
        ("change", "VARCHAR", "enter or exit"),
    ),
    _table(
        "profile_merges",
        "one profile that was merged into another, in this run or an earlier one",
        "child",
        ("child", "VARCHAR", "minted id of the profile that is no more"),
        ("child_customer_id", "VARCHAR", "its client's own id, which stays taken"),
        ("parent", "VARCHAR", "the profile it is now, the last of a chain"),
        ("merged_into", "VARCHAR", "the profile it was merged into first"),
        ("key", "VARCHAR", "authenticated_id_key of that moment"),
        ("value", "VARCHAR", "the value that both carried"),
        ("merged_at", "TIMESTAMP", "cut-off of the run that merged it (UTC)"),
        ("merged_by", "VARCHAR", "that run"),
        ("place", "INTEGER", "rank of the child in its group, from 2"),
        ("parent_updated_at", "TIMESTAMP", "time of the parent's values then; a later write replaces the union (UTC)"),
    ),
    _table(
        "evaluation",
        "one metric of one model on one evaluation window",
        "algorithm cut model mode metric",
        ("algorithm", "VARCHAR", "rec or churn"),
        ("cut", "VARCHAR", "name of the evaluation cut: rolling, or frozen"),
        ("model", "VARCHAR", "model judged"),
        ("mode", "VARCHAR", "new (seen items excluded), repeat, or empty for churn"),
        ("metric", "VARCHAR", "name of the metric"),
        ("value", "DOUBLE", "its value"),
        ("standard_error", "DOUBLE", "standard error of the value, null where it has none"),
        ("subjects", "INTEGER", "profiles the value is a mean over"),
        ("baseline", "BOOLEAN", "true for a baseline"),
        ("serving", "BOOLEAN", "true for the model this run serves"),
        ("window_from", "TIMESTAMP", "start of the judged window (UTC)"),
        ("window_to", "TIMESTAMP", "its end (UTC)"),
    ),
    _table(
        "scenario_rows",
        "one subject and one set of rules",
        "reco_type table_name subject_id",
        ("reco_type", "VARCHAR", "profile_to_items or item_to_items"),
        ("table_name", "VARCHAR", "set of rules, as in scenario_tables"),
        ("rules_digest", "VARCHAR", "SHA-256 of the effective rules"),
        ("subject_id", "VARCHAR", "profile_id or item_id, by the reco type"),
        ("item_ids", "VARCHAR[]", "first 64 items of the list under these rules, best first"),
        ("length", "INTEGER", "items of the full list, at most 256"),
    ),
    _table(
        "scenario_tables",
        "one set of rules that scenarios of the run give",
        "reco_type table_name",
        ("reco_type", "VARCHAR", "profile_to_items, item_to_items, or session_to_items, which is only judged"),
        (
            "table_name",
            "VARCHAR",
            "reco type for no rules, with .case for a stored case, with +case for a leaf of the default below it",
        ),
        ("rules_digest", "VARCHAR", "SHA-256 of the effective rules, null where they are not materialized"),
        ("scenarios", "VARCHAR[]", "stored cases that these rules are of, also equal ones of other names"),
        ("materialized", "BOOLEAN", "whether scenario_rows has its lists"),
        ("reason", "VARCHAR", "why not, empty otherwise"),
        ("algorithm", "VARCHAR", "recommender whose lists the rules start from"),
        ("rules", "JSON", "effective rules in canonical JSON"),
        ("subjects", "BIGINT", "subjects with a list, null where not materialized"),
        ("mean_length", "DOUBLE", "mean length of their full lists"),
        ("empty", "BIGINT", "subjects of whose list nothing is left"),
    ),
    _table(
        "scenario_evaluation",
        "one metric of one set of rules on what followed the evaluation cut, beside the lists without rules",
        "reco_type table_name metric",
        ("reco_type", "VARCHAR", "profile_to_items, item_to_items, or session_to_items, which is only judged"),
        ("table_name", "VARCHAR", "set of rules, as in scenario_tables; the reco type alone is without rules"),
        ("rules_digest", "VARCHAR", "SHA-256 of the effective rules"),
        ("scenarios", "VARCHAR[]", "stored cases that these rules are of"),
        (
            "metric",
            "VARCHAR",
            "hit_rate@10, recall@10, ndcg@10, coverage@10, diversity@10 (mean share of unlike property values of two "
            "listed items) or full@10 (share of subjects with ten items)",
        ),
        ("value", "DOUBLE", "its value"),
        ("standard_error", "DOUBLE", "standard error of the value, null for coverage"),
        ("difference", "DOUBLE", "value minus that without rules: what the rules cost or bring"),
        ("difference_error", "DOUBLE", "standard error of the difference, subject by subject; null for coverage"),
        ("subjects", "INTEGER", "subjects the value is a mean over"),
        ("window_from", "TIMESTAMP", "start of the judged window (UTC)"),
        ("window_to", "TIMESTAMP", "its end (UTC)"),
    ),
    _table(
        "experiments",
        "one A/B test that a stored scenario splits by, or that somebody was exposed to before as_of",
        "test_id",
        ("test_id", "VARCHAR", "id of the test, by which subjects are split"),
        ("scenarios", "VARCHAR[]", "scenarios with this id, as reco type/name"),
        ("running", "BOOLEAN", "whether a stored scenario still splits by it"),
        ("first_at", "TIMESTAMP", "first exposure (UTC), null without any"),
        ("goal_event_types", "VARCHAR[]", "events that convert a subject"),
        ("window_days", "INTEGER", "days after the first exposure within which they count"),
        ("subjects_a", "BIGINT", "profiles, and sessions of nobody known, first exposed to A"),
        ("subjects_b", "BIGINT", "the same for B"),
        ("crossovers", "BIGINT", "subjects exposed to both groups; they count where they were first"),
        ("judged_a", "BIGINT", "subjects of A whose window has passed"),
        ("judged_b", "BIGINT", "subjects of B whose window has passed"),
        ("converted_a", "BIGINT", "of the judged ones of A, those that converted"),
        ("converted_b", "BIGINT", "of the judged ones of B, those that converted"),
        ("rate_a", "DOUBLE", "converted over judged, null where nobody was judged"),
        ("rate_b", "DOUBLE", "the same for B"),
        ("difference", "DOUBLE", "rate of B minus rate of A"),
        ("low", "DOUBLE", "lower end of the difference's interval, which holds for all nights together"),
        ("high", "DOUBLE", "its upper end"),
        ("level", "DOUBLE", "chance that the interval ever misses the truth"),
        ("p_value", "DOUBLE", "always-valid p-value of no difference"),
        ("split_p_value", "DOUBLE", "always-valid p-value of an even split of the subjects; below 0.01 it is broken"),
        (
            "verdict",
            "VARCHAR",
            "no decision yet, A is better, B is better, or: the split is broken: do not trust",
        ),
    ),
    _table(
        "experiment_days",
        "one A/B test and day since its first exposure, as it read at the day's end",
        "test_id day",
        ("test_id", "VARCHAR", "id of the test"),
        ("day", "DATE", "day (UTC); the last one ends at as_of"),
        ("subjects_a", "BIGINT", "subjects first exposed to A until then"),
        ("subjects_b", "BIGINT", "the same for B"),
        ("judged_a", "BIGINT", "subjects of A whose window had passed"),
        ("judged_b", "BIGINT", "subjects of B whose window had passed"),
        ("converted_a", "BIGINT", "of the judged ones of A, those that converted"),
        ("converted_b", "BIGINT", "of the judged ones of B, those that converted"),
        ("difference", "DOUBLE", "rate of B minus rate of A"),
        ("low", "DOUBLE", "lower end of its interval"),
        ("high", "DOUBLE", "upper end of its interval"),
        ("p_value", "DOUBLE", "always-valid p-value of no difference"),
        ("split_p_value", "DOUBLE", "always-valid p-value of an even split"),
    ),
    _table(
        "checks",
        "one expectation on the profile features",
        "expectation",
        ("expectation", "VARCHAR", "name of the expectation: column and rule"),
        ("column_name", "VARCHAR", "column checked, empty for the table"),
        ("rule", "VARCHAR", "kind of rule"),
        ("severity", "VARCHAR", "warn, quarantine or block"),
        ("passed", "BOOLEAN", "whether it held"),
        ("rows_checked", "BIGINT", "rows it looked at"),
        ("rows_failed", "BIGINT", "rows against it"),
        ("observed", "VARCHAR", "what was seen, as text"),
        ("expected", "VARCHAR", "what was asked, as text"),
    ),
    _table(
        "check_failures",
        "one profile against one expectation",
        "expectation profile_id",
        ("expectation", "VARCHAR", "name of the expectation"),
        PROFILE,
        ("value", "VARCHAR", "offending value, as text"),
        ("severity", "VARCHAR", "warn, quarantine or block"),
    ),
    _table(
        "drift",
        "one statistic of one feature compared with the last published run",
        "feature statistic",
        ("feature", "VARCHAR", "feature compared"),
        (
            "statistic",
            "VARCHAR",
            "what was compared: psi (population stability index), missing (share), mean (in deviations), rows",
        ),
        ("value", "DOUBLE", "size of the drift"),
        ("threshold", "DOUBLE", "size from which it is reported"),
        ("drifted", "BOOLEAN", "whether the threshold was reached"),
        ("previous_run", "VARCHAR", "run compared with"),
    ),
    _table(
        "training_jobs",
        "one algorithm trained or carried forward in this run",
        "algorithm",
        ("training_job_id", "VARCHAR", "id of the job; when it began and ended is in the journal's record of it"),
        ("algorithm", "VARCHAR", "recommendations, churn-prediction, or rfm-analysis"),
        ("model", "VARCHAR", "model now serving"),
        ("status", "VARCHAR", "Completed, Failed (carried forward), or Skipped"),
        ("trained_by_run", "VARCHAR", "run that trained the serving model"),
        ("serving_job_id", "VARCHAR", "job whose outputs the run serves: its own, or the last one that completed"),
        ("serving_as_of", "TIMESTAMP", "cut-off of that job (UTC)"),
        ("reason", "VARCHAR", "why it failed or was skipped, empty otherwise"),
        ("failure_reason", "JSON", "code and message of a failure, null otherwise"),
        ("row_counts", "JSON", "profiles, items, events and training_rows"),
        ("metrics", "JSON", "metrics of the model by name"),
        ("gates", "JSON", "list of name, threshold, value, passed"),
        ("excluded_profiles", "JSON", "profiles left out, by reason"),
        ("configuration", "JSON", "configuration and thresholds used, whole"),
        ("details", "JSON", "everything else that decided"),
    ),
    _table(
        "training_skips",
        "one algorithm that an account uses and that did not start",
        "algorithm",
        ("algorithm", "VARCHAR", "recommendations, churn-prediction, or rfm-analysis"),
        ("reason", "VARCHAR", "not_configured, inadequate_data, or insufficient_history"),
        ("figures", "JSON", "the figures behind it"),
    ),
    _table(
        "training_exclusions",
        "one profile left out of one algorithm",
        "algorithm profile_id reason",
        ("algorithm", "VARCHAR", "rec or churn"),
        PROFILE,
        ("reason", "VARCHAR", "missing_profile_feature, status, no_activity, or check"),
        ("missing_keys", "VARCHAR[]", "feature keys that were missing"),
    ),
    _table(
        "file_loads",
        "one delivered file and entity",
        "load_id entity",
        ("load_id", "BIGINT", "number of the load"),
        ("entity", "VARCHAR", "profiles, items or events"),
        ("resource", "VARCHAR", "folder or source mapping that took it"),
        ("file", "VARCHAR", "name as delivered"),
        ("content_hash", "VARCHAR", "SHA-256 of its bytes"),
        ("status", "VARCHAR", "loaded, duplicate, refused"),
        ("rows_in", "BIGINT", "rows in the file"),
        ("rows_loaded", "BIGINT", "rows that changed or added something"),
        ("rows_already", "BIGINT", "rows known before, or older than what is known"),
        ("rows_skipped", "BIGINT", "rows left out by a stated rule"),
        ("rows_quarantined", "BIGINT", "rows held back"),
        ("message", "VARCHAR", "why it was refused, or what was noticed"),
        ("loaded_at", "TIMESTAMP", "when (UTC)"),
    ),
    _table(
        "quarantine",
        "one rule broken by one delivered row",
        "load_id entity line column_name rule",
        ("load_id", "BIGINT", "number of the load"),
        ("entity", "VARCHAR", "profiles, items or events"),
        ("file", "VARCHAR", "name as delivered"),
        ("content_hash", "VARCHAR", "SHA-256 of its bytes"),
        ("line", "BIGINT", "line on which the record starts; row number in Parquet"),
        ("column_name", "VARCHAR", "column at fault"),
        ("value", "VARCHAR", "its value as delivered"),
        ("rule", "VARCHAR", "rule broken"),
        ("reason", "VARCHAR", "in words, with what to try"),
        ("raw", "VARCHAR", "the row as delivered, as JSON of its columns or the raw line"),
        ("ingested_at", "TIMESTAMP", "when (UTC)"),
        ("resolved_at", "TIMESTAMP", "when a replay loaded it, else null"),
    ),
)

TABLE_BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}


@dataclass(frozen=True, slots=True)
class Identity:
    """What decides a run's contents. Two runs of one identity have equal bytes in every table and model.

    ``compared_with`` is the run that was served before: drift is measured against it and what fails is carried forward
    from it. ``documents_digest`` is of scenarios, defaults, property definitions and an account's configurations,
    empty without any.
    """

    workspace: str
    as_of: str
    journal_seq: int
    warehouse_digest: str
    definitions_digest: str
    code_version: str
    seed: int
    compared_with: str = ""
    documents_digest: str = ""


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """Files of one table, relative to the run's folder, with their rows and SHA-256 digests (equal position)."""

    name: str
    files: tuple[str, ...]
    rows: int
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """``manifest.json`` of a run.

    ``files`` holds the SHA-256 of every file but the tables' and the manifest itself (models, pack).
    """

    run_id: str
    created_at: str
    identity: Identity
    tables: tuple[PublishedTable, ...]
    files: dict[str, str] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    version: int = MANIFEST_VERSION
