"""`open_engine`: what can be chosen, and what is said when it cannot be had."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from therapist.engines import open_engine
from therapist.errors import EngineError


def test_an_unknown_kind_is_refused_with_the_kinds_there_are() -> None:
    with pytest.raises(EngineError, match="transformers, openai, eliza"):
        open_engine("llama")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"There is no folder .*nowhere"):
        open_engine("transformers", model=str(tmp_path / "nowhere"))


def test_a_folder_without_a_model_is_named_with_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"config\.json is missing"):
        open_engine("transformers", model=str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EngineError, match="holds no weights"):
        open_engine("transformers", model=str(tmp_path))


def test_a_folder_with_broken_files_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(EngineError, match="cannot be loaded"):
        open_engine("transformers", model=str(tmp_path))


@pytest.mark.parametrize("address", [None, "localhost:8000/v1"])
def test_a_server_needs_an_address(address: str | None) -> None:
    with pytest.raises(EngineError, match="needs base_url, for example http://"):
        open_engine("openai", base_url=address)


def test_a_server_s_key_must_be_in_the_variable_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLUSTER_KEY", raising=False)
    with pytest.raises(EngineError, match="CLUSTER_KEY is empty"):
        open_engine("openai", base_url="http://localhost:9/v1", model="m", api_key_env="CLUSTER_KEY")


@pytest.mark.parametrize(("kind", "package"), [("transformers", "torch"), ("openai", "openai")])
def test_a_missing_package_is_named(kind: str, package: str) -> None:
    # In a process of its own in which the package cannot be imported.
    told = _python(
        f"""
        import sys
        sys.modules[{package!r}] = None
        from therapist.engines import open_engine
        from therapist.errors import EngineError
        try:
            open_engine({kind!r}, base_url="http://localhost:9/v1", model="m")
        except EngineError as error:
            print(error)
        """
    )
    assert f"{package} cannot be imported" in told


def test_a_study_with_eliza_loads_no_heavy_library() -> None:
    told = _python(
        """
        import sys
        from therapist.engines import open_engine
        open_engine("eliza")
        print([name for name in ("torch", "transformers", "openai") if name in sys.modules])
        """
    )
    assert told.strip() == "[]"


def _python(program: str) -> str:
    """What `program` prints in a fresh Python."""
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
