"""What a release is made of agrees with itself: versions, names, the sdist, and workflows that run what is run here."""

import json
import re
import subprocess
import sys
import tarfile

import pytest
import yaml

from tests.contracts.pages.markdown import PROJECT, ROOT

VERSION = PROJECT["project"]["version"]
SERVER = json.loads((ROOT / "server.json").read_text("utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
WORKFLOWS = {
    path.name: yaml.safe_load(path.read_text("utf-8"))
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
NOT_SHIPPED = {".ci/run"}


def commands():
    """Every command of every step, once for each value that a matrix puts into it."""
    for name, workflow in WORKFLOWS.items():
        for job in workflow["jobs"].values():
            matrix = job.get("strategy", {}).get("matrix", {})
            targets = [*matrix.get("target", []), *(row["target"] for row in matrix.get("include", []))]
            for step in job.get("steps", []):
                if "run" in step:
                    text = step["run"]
                    yield from ((name, text.replace("${{ matrix.target }}", target)) for target in targets or [""])


def test_each_command_of_a_workflow_is_one_that_release_check_runs():
    listed = subprocess.run(
        ["make", "--dry-run", "--print-data-base", "--question", "help"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=30,
    ).stdout  # fmt: skip
    targets = re.search(r"^release-check: (?!DRY_RUN)(.+)$", listed, re.MULTILINE)
    assert targets
    run = set(commands())
    assert len(run) > 10
    assert {
        (name, text) for name, text in run if text not in {f"make {target}" for target in targets[1].split()}
    } == set()


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_nothing_by_default_and_pins_each_action_by_its_commit(name):
    assert WORKFLOWS[name]["permissions"] == {}
    used = re.findall(r"uses: (?!\./)(.+)", (ROOT / ".github" / "workflows" / name).read_text("utf-8"))
    assert used or name == "release.yml"
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)] == []


def test_one_action_has_one_commit():
    text = "\n".join(path.read_text("utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    pins = set(re.findall(r"uses: ([\w-]+/[\w-]+)[\w/-]*@([0-9a-f]+)", text))
    assert len({action for action, _ in pins}) == len(pins)


def test_what_the_registry_of_mcp_reads_is_what_is_published():
    package = SERVER["packages"][0]
    assert {SERVER["version"], package["version"]} == {VERSION}
    assert package["identifier"] == PROJECT["project"]["name"]
    assert package["runtimeArguments"][0]["value"] == f"fusion-tool[mcp]=={VERSION}"
    assert f"<!-- mcp-name: {SERVER['name']} -->" in (ROOT / "README.md").read_text("utf-8")
    assert len(SERVER["description"]) <= 100  # more is refused once the version is spent
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert [one["name"] for one in package["environmentVariables"] if f"`{one['name']}`" not in page] == []


def test_the_addresses_are_those_of_one_repository():
    urls = PROJECT["project"]["urls"]
    owner, name = urls["Homepage"].removeprefix("https://github.com/").split("/")
    assert SERVER["repository"]["url"] == urls["Homepage"]
    assert SERVER["name"] == f"io.github.{owner}/{name}"
    assert urls["Documentation"] == f"https://{owner}.github.io/{name}/"
    assert f'site_url = "{urls["Documentation"]}"' in (ROOT / "zensical.toml").read_text("utf-8")


def test_the_sdist_holds_all_that_is_kept(tmp_path):
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not tracked:
        pytest.skip("no git checkout")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in tracked if (ROOT / name).exists()} - names == NOT_SHIPPED
    assert not [name for name in names if name.startswith((".venv", "dist/", "site/")) or "node_modules" in name]
