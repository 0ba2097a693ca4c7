"""What the package exports: all of it resolves, lazily, and importing the package costs nothing."""

import json
import subprocess
import sys

import pytest

import fusion_tool

HEAVY = [
    "langchain",
    "langchain_core",
    "langgraph",
    "langchain_openai",
    "openai",
    "pydantic",
    "httpx",
    "httpx2",
    "aiohttp",
]


def run(code):
    """What `code` prints as JSON, in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_names_of_the_contract_are_exported():
    wanted = {"FusionTool", "FusionConfig", "Panelist", "Limits", "FusionResult", "FusionError"}
    assert wanted | {"preset", "build_graph", "fuse", "afuse", "astream"} <= set(fusion_tool.__all__)


@pytest.mark.parametrize("name", fusion_tool.__all__)
def test_every_exported_name_resolves_to_its_own(name):
    value = getattr(fusion_tool, name)
    assert value.__name__ == name
    assert value.__module__.startswith("fusion_tool.")
    assert value.__doc__


def test_all_is_sorted_and_is_what_completion_offers():
    assert sorted(set(fusion_tool.__all__)) == fusion_tool.__all__
    assert set(fusion_tool.__all__) <= set(dir(fusion_tool))


def test_what_resolves_lazily_is_exactly_what_is_exported():
    assert set(fusion_tool._MODULE_OF) == set(fusion_tool.__all__)


@pytest.mark.parametrize("name", ["FusionTol", "nonsense", "__wrapped__"])
def test_a_wrong_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=name):
        getattr(fusion_tool, name)


def test_every_error_is_exported():
    from fusion_tool import errors

    kinds = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert kinds <= set(fusion_tool.__all__)


def test_importing_the_package_imports_nothing_heavy():
    loaded = run("import json, sys, fusion_tool; print(json.dumps(sorted(sys.modules)))")
    assert not [name for name in HEAVY if name in loaded]
    assert [name for name in loaded if name.startswith("fusion_tool")] == ["fusion_tool"]


def test_errors_load_without_a_model_library():
    loaded = run("import json, sys; from fusion_tool import FusionError; print(json.dumps(sorted(sys.modules)))")
    assert not [name for name in HEAVY if name in loaded]


def test_the_configuration_loads_without_a_model_library():
    loaded = run(
        "import json, sys; from fusion_tool import preset; preset('budget'); print(json.dumps([*sys.modules]))"
    )
    assert not [name for name in ("langchain", "langchain_core", "langgraph", "openai") if name in loaded]
