"""`morpheus animate` on a classified field."""

import av
import pytest


def test_a_film_of_a_field(command, field):
    film = field / "film.mp4"
    command("animate", field / "out", "-o", film, "--seconds", "1", "--side", "100")
    with av.open(str(film)) as opened:
        assert opened.streams.video[0].frames == 30


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("-o", "film.avi"), "ends in .mp4, .gif"),
        (("-o", "film.gif", "--rgb", "F160W"), "three bands are needed"),
        (("-o", "film.gif", "--rgb", "F160W,F125W,K"), "K: the bands are"),
        (("-o", "film.gif", "--statistic", "mode"), "mode"),
        (("-o", "film.gif", "--seconds", "0"), "seconds"),
    ],
)
def test_mistakes(command, field, monkeypatch, options, text):
    monkeypatch.chdir(field)
    code, _, error = command("animate", field / "out", *options)
    assert code == 2
    assert text in error
    assert len(error.splitlines()) == 1
    assert not list(field.glob("film.*"))
