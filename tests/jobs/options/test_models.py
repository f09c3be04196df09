from spiritlm_cli.jobs.options.models import ModelListOptions, PullOptions
from spiritlm_cli.options import settings


def test_defaults() -> None:
    assert settings(ModelListOptions()) == {"json": False}
    assert settings(PullOptions(model="twist")) == {"model": "twist", "revision": None, "dry_run": False}
