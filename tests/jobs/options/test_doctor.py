from spiritlm_cli.jobs.options.doctor import DoctorOptions


def test_nano_is_tested_by_default() -> None:
    assert DoctorOptions() == DoctorOptions(model="nano", json=False)
