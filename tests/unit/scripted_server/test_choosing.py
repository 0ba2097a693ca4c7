"""Which reply a request gets."""

import pytest

from tests.scripted_server import Reply, ScriptedServer
from tests.unit.scripted_server.talk import USER, ask, said

pytestmark = pytest.mark.loopback


def test_a_model_answers_in_order_and_repeats_its_last_reply(scripted):
    scripted.reply("vendor/a", "first", Reply("second"))
    assert [said(scripted) for _ in range(4)] == ["first", "second", "second", "second"]


def test_every_model_has_a_queue_of_its_own(scripted):
    scripted.reply("vendor/a", "a1", "a2")
    scripted.reply("vendor/b", "b1", "b2")
    assert [said(scripted, m) for m in ("vendor/a", "vendor/b", "vendor/a", "vendor/b")] == ["a1", "b1", "a2", "b2"]


def test_a_model_without_a_script_says_its_name_or_the_default(scripted):
    assert "vendor/z" in said(scripted, "vendor/z")
    scripted.otherwise("anything")
    assert said(scripted, "vendor/z") == "anything"


def test_a_rule_goes_before_the_model_and_the_first_rule_before_the_next(scripted):
    scripted.reply("vendor/a", "by model")
    scripted.on(lambda request: "quorum" in request.prompt, "by rule", "by rule again")
    scripted.on(lambda request: request.model == "vendor/a", "too late")
    assert [said(scripted), said(scripted)] == ["by rule", "by rule again"]
    assert said(scripted, messages=[{"role": "user", "content": "else"}]) == "too late"


def test_a_function_sees_what_was_asked(scripted):
    parts = [{"type": "text", "text": "source [ab12cd34]"}]
    scripted.reply("vendor/a", lambda request: f"cites {request.last.split()[-1]}")
    assert said(scripted, messages=[*USER, {"role": "user", "content": parts}]) == "cites [ab12cd34]"


def test_what_a_function_raises_reaches_the_test():
    def wrong(request):
        raise AssertionError(request.model)

    def run():
        with ScriptedServer() as server:
            server.reply("vendor/a", wrong)
            assert ask(server).status_code == 500

    with pytest.raises(AssertionError, match="vendor/a"):
        run()


def test_an_empty_script_is_refused(scripted):
    with pytest.raises(ValueError, match="at least one"):
        scripted.reply("vendor/a")
