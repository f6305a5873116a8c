"""Completions and chat (§15): there is no provider, and the routes say so."""

from __future__ import annotations

from serving.crossing_minds import schemas as s
from serving.crossing_minds.call import Answer, Call
from serving.crossing_minds.errors import ServerUnavailable
from serving.crossing_minds.router import EVERYBODY, Route


async def models(_: Call) -> Answer:
    """No models without a provider."""
    return {"models": []}


async def complete(_: Call) -> Answer:
    """Nobody to ask."""
    raise ServerUnavailable("LLM_PROVIDER_NOT_CONFIGURED", "No LLM provider is configured")


MODEL = s.obj(
    {"name": s.string(), "type": s.words("chat_completion", "text_completion"), "metadata": s.anything()},
    optional=("metadata",),
)
_ASKED = {"prompt": s.string(), "messages": s.array(s.OBJECT), "scenario": s.string(), "stream": s.boolean()}
ASKED = s.obj(_ASKED, optional=tuple(_ASKED))

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "llm/models/", EVERYBODY, models, "Models of the provider", mark="M2",
        answer=s.obj({"models": s.array(MODEL)}),
    ),
    Route(
        "POST", "llm/text-completion/", EVERYBODY, complete, "Complete a text", mark="M2", body=ASKED, answer=s.OBJECT
    ),
    Route(
        "POST", "llm/chat-completion/", EVERYBODY, complete, "Complete a chat", mark="M2", body=ASKED, answer=s.OBJECT
    ),
    Route(
        "POST", "recommendation/chat/items/", EVERYBODY, complete, "Items for a chat", mark="M2", body=ASKED,
        answer=s.OBJECT,
    ),
)
