from pathlib import Path

import pytest

from spiritlm_cli.errors import ManifestError
from spiritlm_cli.evaluation.fluent_speech_commands import (
    BadCommand,
    Command,
    data_folder,
    drop_none,
    read_commands,
)

HEADER = ",path,speakerId,transcription,action,object,location\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "fluent_speech_commands_dataset"
    (folder / "data").mkdir(parents=True)
    (folder / "data/test_data.csv").write_text(
        HEADER
        + '0,wavs/speakers/4BrX/a.wav,4BrX,"Lights, please",activate,lights,bedroom\n'
        + "1,wavs/speakers/4BrX/b.wav,4BrX,Louder,increase,volume,none\n"
        + "2,../../etc/passwd,x,y,increase,volume,none\n"
        + "3,/etc/passwd,x,y,increase,volume,none\n"
        + "4,wavs/c.wav,x,y,increase,,none\n"
        + "5,wavs/c.wav,x\n"
    )
    return folder


def test_read_commands(folder: Path) -> None:
    assert data_folder(folder) == data_folder(folder.parent) == folder
    commands = list(read_commands(folder, "test"))
    good = [command for command in commands if isinstance(command, Command)]
    assert [(one.id, one.label, one.clip.speaker) for one in good] == [
        ("wavs/speakers/4BrX/a", "activate lights bedroom", "4BrX"),
        ("wavs/speakers/4BrX/b", "increase volume none", "4BrX"),
    ]
    assert good[0].source == folder / "wavs/speakers/4BrX/a.wav"
    assert good[0].clip.text == "Lights, please"
    bad = [str(command.error) for command in commands if isinstance(command, BadCommand)]
    assert [message.partition("csv: ")[2] for message in bad] == [
        "line 4: not a path below the folder: '../../etc/passwd'",
        "line 5: not a path below the folder: '/etc/passwd'",
        "line 6: object is empty",
        "line 7: 3 columns, but line 1 names 7",
    ]


def test_read_commands_without_a_column(folder: Path) -> None:
    (folder / "data/test_data.csv").write_text("path,action,object\n")
    with pytest.raises(ManifestError, match="line 1: no column is named location"):
        list(read_commands(folder, "test"))
    with pytest.raises(ManifestError, match=r"data/test_data\.csv is not in it"):
        data_folder(folder / "data")


def test_drop_none() -> None:
    assert drop_none("increase volume none") == "increase volume"
    assert drop_none("activate lights bedroom") == "activate lights bedroom"
