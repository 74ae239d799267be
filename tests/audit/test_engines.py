"""How an engine is named on the command line and in a protocol, and what it is called in a log."""

import pickle
from pathlib import Path

import pytest

from audit.engines import engine_for, engine_named
from audit.errors import AuditError


def test_names_of_the_command_line() -> None:
    assert engine_named("eliza").model == "bedside/eliza"
    assert engine_named("bedside/eliza") == engine_named("eliza")
    assert engine_named("smollm2").model == "bedside/smollm2"
    assert len(engine_named("smollm2").sha256) == 64
    assert engine_named("vllm/org/name").kind == "vllm"
    server = engine_named("http://127.0.0.1:9/v1", "llama")
    assert (server.model, server.base_url, server.name) == ("openai-api/server/llama", "http://127.0.0.1:9/v1", "llama")


def test_a_models_folder_is_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    first = engine_named(str(tmp_path))
    assert first.model == f"bedside/{tmp_path}"
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    assert engine_named(str(tmp_path)).sha256 != first.sha256


@pytest.mark.parametrize(
    ("name", "model", "said"),
    [
        ("smolm2", None, "no study's folder and no engine; allowed"),
        ("./nowhere", None, "no study's folder and no engine"),
        ("http://127.0.0.1:9/v1", None, "needs --model"),
        ("smollm2", "llama", "--model belongs to the URL"),
    ],
)
def test_what_is_no_engine_is_refused(name: str, model: str | None, said: str) -> None:
    with pytest.raises(AuditError, match=said):
        engine_named(name, model)


def test_a_key_is_named_and_never_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE_KEY", "very-secret")
    engine = engine_for("openai", "llama", base_url="http://127.0.0.1:9/v1", api_key_env="SITE_KEY")
    assert b"very-secret" not in pickle.dumps(engine)
    assert engine.as_model().api.api_key == "very-secret"
    monkeypatch.delenv("SITE_KEY")
    with pytest.raises(AuditError, match="SITE_KEY"):
        engine.as_model()


def test_a_provider_that_inspect_ai_has_not_is_refused_in_one_sentence() -> None:
    with pytest.raises(AuditError, match="inspect_ai has no model 'nobody/llama'"):
        engine_named("nobody/llama").as_model()
