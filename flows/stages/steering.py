"""How an account's configurations steer a night (retention contract, section 4): they go before the settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from contracts.account import Account
from contracts.settings import Settings


def steer(settings: Settings, account: Account) -> Settings:
    """The settings with what the account configured; the same settings without any configuration."""
    ranking, churn = settings.recommendations, settings.churn
    if account.rec is not None:
        ranking = replace(
            ranking,
            profile_features=account.rec.profile_features,
            recommend_interacted_items=account.rec.recommend_interacted_items,
            item_stop_list=account.rec.item_stop_list,
        )
    if account.churn is not None:
        churn = replace(churn, profile_features=account.churn.profile_features)
    return replace(settings, recommendations=ranking, churn=churn)


def not_started(account: Account, algorithm: Literal["rec", "churn"]) -> str:
    """Why an algorithm is not to be trained whatever the data: an account that configures has not configured it."""
    return "not_configured" if account.configured and getattr(account, algorithm) is None else ""
