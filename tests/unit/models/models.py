"""Panelists that the scripted server answers, and calls of them."""

import time

from langchain_core.messages import HumanMessage

from fusion_tool.budget.ledger import Ledger, StageBudget
from fusion_tool.config.schema import Panelist
from fusion_tool.models.call import CallContext, call_model
from fusion_tool.models.factory import chat_model

USER = [HumanMessage("When was the mill built?")]


def panelist(server, model="vendor/a", **settings):
    """A model of the scripted server, behind a plain `base_url`."""
    return Panelist(model=f"openai:{model}", base_url=server.url, **settings)


def account(one):
    """A panelist's account without limits; its rows are the bill."""
    return CallContext(
        "panelist", one, budget=StageBudget(Ledger(usd=None, tokens=None), "panelist"), rows=[], seat="a"
    )


async def asked(one, *, seconds=5.0, on=None, bound=None, **listeners):
    """One call of a panelist's model."""
    model = await chat_model(one)
    return await call_model(
        model.bind(**bound) if bound else model,
        USER,
        account=on or account(one),
        deadline=time.monotonic() + seconds,
        **listeners,
    )
