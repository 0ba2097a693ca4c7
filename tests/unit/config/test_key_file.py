"""The keys file: for its owner alone, known names alone, and no word of what stands in it."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from fusion_tool.config.key_file import store_key, stored_keys
from fusion_tool.config.key_names import KEY_NAMES, MODEL_KEYS, SEARCH_KEYS
from fusion_tool.config.keys import missing_key, read_key, scrub
from fusion_tool.config.schema import Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.models.factory import check_models
from fusion_tool.models.providers import PROVIDERS, providers_with_key
from fusion_tool.tools.search import search

KEY = "sk-0123456789abcdefghij"


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    for name in KEY_NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def written(user_folder):
    def write(text, mode=0o600):
        file = user_folder / "keys.env"
        file.write_text(text, "utf-8")
        file.chmod(mode)
        return file

    return write


def test_every_provider_has_its_names_here():
    assert {name: provider.keys for name, provider in PROVIDERS.items()} == MODEL_KEYS
    assert {spec.variable for spec in search.PROVIDERS.values() if spec.fee} == {*SEARCH_KEYS.values()}


def test_a_key_in_it_is_as_good_as_a_variable_and_a_variable_counts_first(written, monkeypatch):
    written(f"# mine\n\nOPENAI_API_KEY = '{KEY}'\nTAVILY_API_KEY=tvly-0123456789abcdef\n")
    assert (read_key("OPENAI_API_KEY"), missing_key("TAVILY_API_KEY")) == (KEY, None)
    assert providers_with_key() == {"openai"}
    check_models([("model", Panelist(model="openai:gpt-5.5"))])
    assert scrub(f"refused: {KEY}") == "refused: [secret]"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    assert read_key("OPENAI_API_KEY") == "sk-of-the-environment"


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeffOPENAI_API_KEY={KEY}\n",
        f"OPENAI_API_KEY={KEY}\r\n",
        f"export OPENAI_API_KEY={KEY}\n",
        f'export OPENAI_API_KEY="{KEY}"',
        f"export  OPENAI_API_KEY = {KEY}",
    ],
)
def test_as_editors_and_shells_write_it(written, text):
    file = written(text)
    assert read_key("OPENAI_API_KEY") == KEY
    store_key("OPENAI_API_KEY", f"{KEY}-new")
    assert file.read_text("utf-8") == f"OPENAI_API_KEY={KEY}-new\n"


@pytest.mark.usefixtures("user_folder")
def test_of_keys_that_are_stored_at_once_none_is_lost():
    with ThreadPoolExecutor(len(KEY_NAMES)) as pool:
        assert len({*pool.map(lambda name: store_key(name, f"{KEY}-{name}"), KEY_NAMES)}) == 1
    assert stored_keys() == {name: f"{KEY}-{name}" for name in KEY_NAMES}


def test_a_change_counts_at_once(written):
    written(f"OPENAI_API_KEY={KEY}")
    assert read_key("OPENAI_API_KEY") == KEY
    written(f"XAI_API_KEY={KEY}-2")
    assert (read_key("OPENAI_API_KEY"), read_key("XAI_API_KEY")) == ("", f"{KEY}-2")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (KEY, "expected NAME=KEY"),
        (f"{KEY}=", "expected NAME=KEY"),
        (f"MY_KEY={KEY}", "those that api_key_env names in"),
        (f"OPENAI_KEY={KEY}", "did you mean 'OPENAI_API_KEY'?"),
        (f"OPENAI_BASE_URL={KEY}", "no key has this name"),
        ("XAI_API_KEY=", "is empty"),
        (f"XAI_API_KEY={KEY} {KEY}", "characters that no key has"),
        (f"XAI_API_KEY={KEY} # mine", "a comment needs a line of its own, not one behind XAI_API_KEY"),
        (f"XAI_API_KEY={'k' * 8193}", "characters that no key has"),
        (f"OPENROUTER_API_KEY={KEY}", "stands there twice"),
    ],
)
def test_a_broken_line_is_told_with_its_number_and_without_its_content(written, row, said):
    file = written(f"# mine\nOPENROUTER_API_KEY=sk-first-{KEY}\n{row}\n")
    with pytest.raises(ConfigError) as caught:
        read_key("OPENAI_API_KEY")
    assert caught.value.message.startswith(f"{file}, line 3: ")
    assert said in caught.value.message
    assert KEY not in caught.value.message


@pytest.mark.skipif(os.name != "posix", reason="the system has no such bits")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_one_that_others_may_read_is_refused(written, mode):
    file = written(f"OPENAI_API_KEY={KEY}", mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {file}"):
        read_key("OPENAI_API_KEY")


def test_a_stored_key_takes_the_place_of_its_own_and_of_nothing_else(written, user_folder):
    written(f"# mine\nOPENAI_API_KEY={KEY}\nXAI_API_KEY={KEY}\n")
    file = store_key("OPENAI_API_KEY", f"{KEY}-new")
    assert file.read_text("utf-8") == f"# mine\nXAI_API_KEY={KEY}\nOPENAI_API_KEY={KEY}-new\n"
    assert stored_keys() == {"XAI_API_KEY": KEY, "OPENAI_API_KEY": f"{KEY}-new"}
    assert file.stat().st_mode & 0o777 == 0o600
    assert [*user_folder.iterdir()] == [file]


def test_it_is_made_for_its_owner_alone_whatever_the_umask(user_folder):
    user_folder.rmdir()
    before = os.umask(0)
    try:
        file = store_key("XAI_API_KEY", KEY)
    finally:
        os.umask(before)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.usefixtures("user_folder")
@pytest.mark.parametrize("line", [f"XAI_API_KEY={KEY}", f'export XAI_API_KEY = "{KEY}"', f"'{KEY}'", KEY])
def test_of_a_whole_line_the_key_is_stored(line):
    store_key("XAI_API_KEY", line)
    assert stored_keys() == {"XAI_API_KEY": KEY}


@pytest.mark.parametrize(
    "text",
    [
        'panel = [{ model = "m", base_url = "http://localhost:8000/v1", api_key_env = "MY_KEY" }]',
        '[judge]\nmodel = "m"\nbase_url = "http://localhost:8000/v1"\napi_key_env = "MY_KEY"',
        '[presets.mine]\npanel = [{ model = "openai:m", api_key_env = "MY_KEY" }]',
    ],
)
def test_a_name_that_the_users_own_file_has_is_a_keys_name(user_folder, text):
    (user_folder / "fusion.toml").write_text(text, "utf-8")
    file = store_key("MY_KEY", KEY)
    assert (read_key("MY_KEY"), missing_key("MY_KEY")) == (KEY, None)
    (user_folder / "fusion.toml").unlink()
    with pytest.raises(ConfigError, match="no key has this name"):
        store_key("MY_KEY", KEY)
    assert file.read_text("utf-8") == f"MY_KEY={KEY}\n"


def test_a_folder_in_its_place_is_told(user_folder):
    (user_folder / "keys.env").mkdir()
    for use in (stored_keys, lambda: store_key("XAI_API_KEY", KEY)):
        with pytest.raises(ConfigError, match="is no file: move it away"):
            use()


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("XAI_KEY", KEY),
        ("XAI_API_KEY", ""),
        ("XAI_API_KEY", "a b"),
        ("XAI_API_KEY", "k" * 8193),
        ("XAI_API_KEY", f"OPENAI_API_KEY={KEY}"),
    ],
)
def test_what_is_no_key_is_not_stored(user_folder, name, key):
    with pytest.raises(ConfigError) as caught:
        store_key(name, key)
    assert KEY not in caught.value.message
    assert not [*user_folder.iterdir()]


def test_a_broken_file_is_not_replaced(written):
    file = written("something else\n")
    with pytest.raises(ConfigError, match="line 1"):
        store_key("XAI_API_KEY", KEY)
    assert file.read_text("utf-8") == "something else\n"
