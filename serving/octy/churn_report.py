"""The churn report (13)."""

from __future__ import annotations

from serving.octy import published
from serving.octy.call import Call
from serving.octy.envelope import Answer, success
from serving.octy.errors import bad_request
from serving.octy.formats import rfc1123
from serving.octy.router import Route

FIGURES = (
    "current_churn_percentage", "churn_direction_indication", "churn_percentage_difference", "features_of_importance",
    "churn_definition", "horizon_days", "profiles_scored", "class_counts",
)


async def get(call: Call) -> Answer:
    """The report of the job whose outputs are served; 400 when none ever completed."""
    report = (await published.facts(call.account))["churn_report"]
    job = await published.served(call.account, published.CHURN)
    if report is None or job is None:
        raise bad_request("no churn prediction training job has completed")
    return success({"churn_prediction_report": {
        "training_job_data": {
            "training_job_id": job.training_job_id, "model_accuracy": report["model_accuracy"],
            "training_job_date": rfc1123(job.at), "brier": report["brier"],
            "calibration_error": report["calibration_error"],
        },
        "churn_data": {name: report[name] for name in FIGURES},
    }})


ROUTES = (Route("GET", "/v1/retention/churn_prediction/report", get, "The churn report"),)
