"""A registry whose models are on a server on localhost: `twist` with stand-in content, and `slam`."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from http_server import Server, serve_http
from huggingface_hub import constants

from spiritlm_cli.checkpoints import download, registry

KMEANS = "mhubert_base_25hz_cp_mls_cv_sp_fisher_L11_km500.bin"
VOCODER = "hifigan_lj_mhubert_base_25hz.pt"
VOCODER_CONFIG = "hifigan_lj_mhubert_base_25hz_config.json"
CONTENT = {KMEANS: b"centers", VOCODER: b"vocoder", VOCODER_CONFIG: b"{}"}
HUBERT = {"config.json": b"{}", "model.safetensors": b"hubert", "README.md": b"read me"}


@contextmanager
def serve_models(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: Mapping[str, bytes] | None = None,
    hubert: Mapping[str, bytes] | None = None,
) -> Iterator[Server]:
    """Serve the files of twist and slam, and make them what the registry knows; $SPIRITLM_HOME is `folder`/home."""
    content, hubert = content or CONTENT, hubert or HUBERT
    monkeypatch.setattr(download, "RETRY_DELAYS", ())
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "SPIRITLM_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPIRITLM_HOME", str(folder / "home"))
    with serve_http() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.files |= {f"/{name}": value for name, value in content.items()}
        server.repositories |= {"slprl/mhubert-base-25hz": dict(hubert), "slprl/slam": dict(HUBERT)}
        models = yaml.safe_load(registry.REGISTRY.read_text())
        for name, file in models["twist"]["files"].items():
            file["url"] = f"{server.url}/{name}"
            if "sha256" in file:
                file["sha256"] = hashlib.sha256(content[name]).hexdigest()
        path = folder / "models.yaml"
        path.write_text(yaml.safe_dump(models, sort_keys=False))
        monkeypatch.setattr(registry, "REGISTRY", path)
        registry.known_models.cache_clear()
        yield server
    registry.known_models.cache_clear()
