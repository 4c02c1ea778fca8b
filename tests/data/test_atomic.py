"""Files written beside and renamed: whole, or as before."""

from __future__ import annotations

import os

import pytest

from backpass.data.atomic import written_beside


def test_the_file_appears_at_the_end_only(tmp_path):
    path = tmp_path / "p.csv"
    with written_beside(path) as beside:
        beside.write_text("new")
        assert not path.exists()
        assert (beside.parent, beside.suffix) == (tmp_path, ".csv")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_after_an_exception_the_old_file_stays(tmp_path, error):
    path = tmp_path / "p.csv"
    path.write_text("old")
    path.chmod(0o640)
    with pytest.raises(error), written_beside(path) as beside:
        beside.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with written_beside(path) as beside:
        beside.write_text("new")
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_folder_is_no_file(tmp_path):
    with (
        pytest.raises(IsADirectoryError, match="is a folder; name a file"),
        written_beside(tmp_path),
    ):
        pass
